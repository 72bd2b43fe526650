/**
 * The settings of this process: reads the settings file and resolves it with flags and environment.
 *
 * Owns: the one file access of the settings. Must not know: what the settings mean.
 */
import { readFile } from 'node:fs/promises';
import { resolveSettings, type SettingsResult, type SettingsSources, settingsFilePath } from './resolve.js';

/**
 * The settings of an agent started with these arguments. A settings file that was named must be readable; the default
 * one may be absent.
 */
export async function loadSettings(sources: Omit<SettingsSources, 'file'>): Promise<SettingsResult> {
  const { path, isRequired, origin } = settingsFilePath(sources.argv, sources.env);
  let text: string | undefined;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (code !== 'ENOENT' || isRequired) {
      const others = resolveSettings(sources);
      const reason = code === 'ENOENT' ? 'no such file' : code;
      return {
        errors: [
          {
            file: path,
            path: origin,
            message: `the settings file cannot be read (${reason}); make it readable`,
          },
          ...('errors' in others ? others.errors : []),
        ],
      };
    }
  }
  return resolveSettings({ ...sources, ...(text !== undefined && { file: { path, text } }) });
}
