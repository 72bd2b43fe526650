/**
 * The door of agent/config: the settings of this agent from flags, environment and file.
 */
export { loadSettings } from './load.js';
export { type Environment, resolveSettings, type SettingsResult, type SettingsSources } from './resolve.js';
export { type AgentSettings, type ApiAddress, SETTINGS, type Setting, settingsHelp } from './settings.js';
