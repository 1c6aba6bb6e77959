// Adds credentials of registries to those that a runner has, for the program
// and the builders that it starts, and leaves the runner's own files as they are.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const github = 'ghcr.io';

// read gives the JSON object in a file, {} if there is no file.
function read(file) {
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (err) {
    if (err.code === 'ENOENT' || err.code === 'ENOTDIR') return {};
    throw new Error(`reading the registries' credentials: ${err.message}`);
  }
  return parse(text, file);
}

function parse(text, what) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    // the parser's message would show a piece of the text
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Error(`reading the registries' credentials: ${what} is not a JSON object`);
  return value;
}

// knows reports whether a config has a credential, or a helper, for a host.
function knows(config, host) {
  return Boolean(config.auths && host in config.auths || config.credHelpers?.[host]);
}

// merge adds a config to one that is there: for a host that both know, more counts.
function merge(config, more) {
  const hosts = Object.keys(more.auths ?? {});
  const helpers = {...config.credHelpers};
  // an entry "" means no helper for the host, before credsStore (docker/cli, config/configfile)
  for (const host of hosts) {
    if (config.credsStore) helpers[host] = '';
    else delete helpers[host];
  }
  const merged = {...config, ...more, auths: {...config.auths, ...more.auths}, credHelpers: {...helpers, ...more.credHelpers}};
  if (Object.keys(merged.credHelpers).length === 0) delete merged.credHelpers;
  return merged;
}

// credentials gives variables that name files with the runner's credentials and
// those of given, the text of a Docker config.json, and with token for ghcr.io
// where nothing else is for it. Without anything to add it gives none.
function credentials(env, given, token) {
  const home = env.DOCKER_CONFIG || path.join(env.HOME || os.homedir(), '.docker');
  const config = read(path.join(home, 'config.json'));
  const more = given.trim() ? parse(given, 'the input docker-config') : {};
  if (token && !knows(config, github) && !knows(more, github)) {
    more.auths = {...more.auths, [github]: {auth: Buffer.from(`${env.GITHUB_ACTOR || 'x-access-token'}:${token}`).toString('base64')}};
  }
  const variables = token ? {GITHUB_TOKEN: token} : {};
  if (Object.keys(more).length === 0) return variables;

  // The runner empties its folder for temporary files after the job.
  const folder = fs.mkdtempSync(path.join(env.RUNNER_TEMP || os.tmpdir(), 'polyarch-docker-'));
  for (const entry of fs.existsSync(home) ? fs.readdirSync(home) : []) {
    if (entry === 'config.json') continue;
    try { // contexts, plugins and builders stay where they are
      fs.symlinkSync(path.join(home, entry), path.join(folder, entry), 'junction');
    } catch (err) {
      console.log(`polyarch: ${entry} of ${home} is not seen by the build: ${err.message}`);
    }
  }
  const write = (name, value) => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, JSON.stringify(value) + '\n', {mode: 0o600});
    return file;
  };
  const file = write('config.json', merge(config, more));
  // buildah and podman have a file of their own, if somebody logged in with them
  const podman = env.REGISTRY_AUTH_FILE || env.XDG_RUNTIME_DIR && path.join(env.XDG_RUNTIME_DIR, 'containers', 'auth.json');
  const theirs = podman ? read(podman) : {};
  return {
    ...variables,
    DOCKER_CONFIG: folder,
    BUILDX_CONFIG: env.BUILDX_CONFIG || path.join(home, 'buildx'),
    REGISTRY_AUTH_FILE: Object.keys(theirs).length === 0 ? file : write('auth.json', merge(merge(config, theirs), more)),
  };
}

module.exports = {credentials};
