/** Query parameters of an endpoint: exactly these, anything else is an error. */
import { type TProperties, Type } from 'typebox';

export function parameters<Properties extends TProperties>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false });
}

export const NO_PARAMETERS = parameters({});
