// Runs polyarch's programs as a step of a GitHub workflow.
//
// It is a JavaScript action because those alone are told the address and the
// token of the run's cache (actions/runner, NodeScriptActionHandler): a "run"
// step, also of a composite action, is not. stitch-index hands them on to the
// clients of BuildKit, where a cache of type=gha is named, and to nothing else.
// It needs nothing but Node's own modules.
'use strict';

const {spawn, spawnSync} = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const {credentials} = require('./credentials.js');

// Flags that are no inputs: what a step prints and sets is the action's to say.
const notInputs = ['json', 'result', 'github', 'dotenv', 'quiet', 'version', 'help', 'install', 'completion', 'policy'];

// fail ends the step. A message must not become a second command of the runner.
function fail(code, message) {
  const text = message.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
  console.log(`::error title=polyarch::${text}`);
  process.exit(code);
}

// input gives an input of the action, '' without one.
function input(name) {
  return process.env[`INPUT_${name.toUpperCase()}`] ?? '';
}

// The runner's own bash on Windows is Git's; System32 has another, WSL's.
function bash() {
  const git = path.join(process.env.ProgramFiles ?? '', 'Git', 'bin', 'bash.exe');
  return process.platform === 'win32' && fs.existsSync(git) ? git : 'bash';
}

// environment is this step's, without the inputs, of which some are secrets.
function environment(more) {
  const env = {...process.env, POLYARCH_VERSION: input('version'), POLYARCH_RELEASES: input('releases'), ...more};
  for (const name of Object.keys(env)) {
    if (name.toUpperCase().startsWith('INPUT_') || env[name] === undefined) delete env[name];
  }
  return env;
}

// install gives the path of a program.
function install(program) {
  const got = spawnSync(bash(), [path.join(__dirname, 'install.sh'), program], {env: environment(), stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8'});
  if (got.error) fail(1, `installing polyarch: ${got.error.message}`);
  if (got.status !== 0) process.exit(got.status ?? 1);
  return got.stdout.trim();
}

// flags gives the names of the flags that an installed program has.
function flags(program, at) {
  const got = spawnSync(at, ['--help', '--json'], {encoding: 'utf8', maxBuffer: 1 << 24});
  if (got.error || got.status !== 0) fail(1, `running ${program} --help: ${got.error?.message ?? got.stderr}`);
  return JSON.parse(got.stdout).flags.map((f) => f.name).filter((name) => !notInputs.includes(name));
}

// run runs a program with the inputs that are its flags, and those of set in
// place of them, and gives its exit code.
function run(program, set, more) {
  const at = install(program);
  const env = environment({POLYARCH_PROGRAM_PATH: at, ...more});
  for (const name of flags(program, at)) {
    env[`POLYARCH_FLAG_${name.replace(/-/g, '_').toUpperCase()}`] = set[name] ?? input(name);
  }
  if (program !== 'stitch-index') delete env.ACTIONS_RUNTIME_TOKEN;
  const cwd = path.resolve(process.env.GITHUB_WORKSPACE || '.', input('working-directory') || '.');
  if (!fs.existsSync(cwd)) fail(2, `input working-directory: there is no folder ${cwd}`);
  return new Promise((resolve) => {
    const child = spawn(bash(), [path.join(__dirname, 'run.sh'), program], {env, cwd, stdio: ['ignore', 'inherit', 'inherit']});
    // the runner asks this process to end, not those that it started
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
    child.on('error', (err) => fail(1, `running ${program}: ${err.message}`));
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGTERM' ? 143 : 130)));
  });
}

// What each program takes beside flags.
const others = {
  'detect-arch': () => ({}),
  'stitch-index': () => ({POLYARCH_WORDS: input('sources'), POLYARCH_COMMAND: input('command'), ...registry()}),
  'inject-affinity': () => ({POLYARCH_FILES: input('files'), ...registry()}),
};

function registry() {
  try {
    return credentials(process.env, input('docker-config'), input('github-token'));
  } catch (err) {
    return fail(2, err.message);
  }
}

// one is the action of a single program.
async function one(program) {
  process.exitCode = await run(program, {}, others[program]());
}

// outputs reads what a program wrote to a file in GITHUB_OUTPUT's format:
// NAME<<DELIMITER, lines, DELIMITER (docs.github.com, workflow commands).
function outputs(file) {
  const values = {};
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  for (let i = 0; i < lines.length; i++) {
    const [, name, delimiter] = /^([^<=]+)<<(.+)$/.exec(lines[i]) ?? [];
    if (!name) continue;
    const end = lines.indexOf(delimiter, i + 1);
    values[name] = lines.slice(i + 1, end).join('\n');
    i = end;
  }
  return values;
}

// whole is the root action: one program, or all of them, each with the results
// of those before it.
async function whole() {
  const step = input('step');
  if (step !== 'all' && !(step in others)) {
    fail(2, `input step: it takes all, detect-arch, stitch-index or inject-affinity, and got "${step}"`);
  }
  const all = step === 'all';
  const temp = process.env.RUNNER_TEMP || require('node:os').tmpdir();
  const artifacts = all ? path.join(temp, 'polyarch-artifacts.json') : '';
  const found = {};
  const set = {
    'detect-arch': () => ({context: input('kube-context')}),
    'stitch-index': () => ({
      platform: found.platforms || input('platform'), 'artifacts-file': input('artifacts-file') || artifacts,
      ...(all && {check: ''}), // which asks about the manifests then
    }),
    'inject-affinity': () => ({
      image: '', artifacts: input('artifacts') || (all ? input('artifacts-file') || artifacts : ''), taints: input('taints') || found.taints || '',
      ...(all && !input('readiness') && {'verify-binaries': ''}), // which is about what is stitched then
    }),
  };
  for (const program of Object.keys(set)) {
    if (!(step === program || all && (program !== 'inject-affinity' || input('files')))) continue;
    const file = path.join(fs.mkdtempSync(path.join(temp, 'polyarch-outputs-')), 'output');
    fs.writeFileSync(file, '');
    const code = await run(program, set[program](), {...others[program](), GITHUB_OUTPUT: file});
    if (code !== 0) {
      process.exitCode = code;
      return;
    }
    Object.assign(found, outputs(file));
    if (process.env.GITHUB_OUTPUT) fs.appendFileSync(process.env.GITHUB_OUTPUT, fs.readFileSync(file));
  }
}

module.exports = {one, whole};
