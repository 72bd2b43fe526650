/**
 * The door of agent/schema: documents that know their lines, and values checked against schemas, with errors that name
 * file, line, path and remedy. Pure.
 */
export {
  type FileDocument,
  type LocatedDocument,
  type ManifestFile,
  type Path,
  readDocuments,
} from './documents.js';
export { type ConfigError, checkText, formatConfigError, formatLocation, quote } from './errors.js';
export { type Checked, checkValue, type Fault } from './explain.js';
export {
  descriptive,
  type FieldOptions,
  integer,
  mapping,
  notYet,
  oneOf,
  optionalText,
  optionalWord,
  type Reading,
  refused,
  scalar,
  text,
  withoutEffect,
} from './fields.js';
export { didYouMean, nearest } from './nearest.js';
