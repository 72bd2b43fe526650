/**
 * The version of this program: that of package.json, put in by the bundler.
 */
import packageJson from '../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;
