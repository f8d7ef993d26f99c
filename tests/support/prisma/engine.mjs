// Prisma's query engine for tests: the WebAssembly build of @prisma/client behind the binary's small HTTP contract.
//
// The Python client starts it as `query-engine -p PORT ...` and sends GraphQL; this build speaks the JSON protocol only,
// so requests are turned into that, and the tagged values of its answers into plain ones. A test fixture, not for use.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);
const pg = require('pg');
const { parse } = require('graphql');
const { PrismaPg } = require('@prisma/adapter-pg');
const { bindAdapter } = require('@prisma/driver-adapter-utils');

// The adapter knows neither PostgreSQL's `name` nor its arrays, which raw queries of the catalogue answer with.
const NAME = 19, NAMES = 1003, TEXT = 25, TEXTS = 1009, JSONS = [114, 3802];
const OPERATIONS = /^(findUnique|findFirst|findMany|createOne|createMany|updateOne|updateMany|upsertOne|deleteOne|deleteMany|aggregate|groupBy)(\w+?)(OrThrow)?$/;

const datamodel = readFileSync(process.env.PRISMA_DML_PATH, 'utf8');
const models = readModels(datamodel);

/** The fields of each model: `Json`, or the name of another model. */
function readModels(text) {
  const found = {};
  for (const [, name, body] of text.matchAll(/^model\s+(\w+)\s*{([^}]*(?:"[^"]*"[^}]*)*?)^}/gms)) {
    found[name] = Object.fromEntries([...body.matchAll(/^\s+(\w+)\s+(\w+)/gm)].map(([, field, type]) => [field, type]));
  }
  return found;
}

async function loadEngine() {
  const folder = path.join(path.dirname(require.resolve('@prisma/client/package.json')), 'runtime');
  const glue = require(path.join(folder, 'query_engine_bg.postgresql.js'));
  const bytes = readFileSync(path.join(folder, 'query_engine_bg.postgresql.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './query_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  const settings = { datamodel, logLevel: 'error', logQueries: false, engineProtocol: 'json', enableTracing: false };
  return new glue.QueryEngine(settings, () => {}, bindAdapter(openDatabase()));
}

function openDatabase() {
  const override = process.env.OVERWRITE_DATASOURCES && JSON.parse(process.env.OVERWRITE_DATASOURCES)[0]?.url;
  const url = new URL(override || process.env.DATABASE_URL);
  const pool = new pg.Pool({
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
    max: 5,
  });
  const io = Object.getPrototypeOf(PrismaPg.prototype);
  const performIO = io.performIO;
  io.performIO = async function (query) {
    return (await performIO.call(this, query)).map(retype);
  };
  return new PrismaPg(pool);
}

function retype(result) {
  for (const field of result?.fields ?? []) {
    field.dataTypeID = { [NAME]: TEXT, [NAMES]: TEXTS }[field.dataTypeID] ?? field.dataTypeID;
  }
  return result;
}

function toJsonProtocol(text) {
  const root = parse(text).definitions[0].selectionSet.selections[0];
  const name = root.name.value;
  const [, operation, modelName, orThrow] = name.match(OPERATIONS) ?? [null, name];
  return {
    ...(modelName && { modelName }),
    action: operation + (orThrow ?? ''),
    query: { arguments: argumentsOf(root, modelName), selection: selectionOf(root, modelName) },
  };
}

function argumentsOf(node, model) {
  return Object.fromEntries((node.arguments ?? []).map((one) => [one.name.value, valueOf(one.value, models[model])]));
}

function selectionOf(node, model) {
  return Object.fromEntries(
    (node.selectionSet?.selections ?? []).map((one) => {
      if (!one.selectionSet) return [one.name.value, true];
      const inner = models[model]?.[one.name.value];
      return [one.name.value, { arguments: argumentsOf(one, inner), selection: selectionOf(one, inner) }];
    }),
  );
}

/** A literal of GraphQL; `fields` are those of the model that it speaks of, `type` the one of the field. */
function valueOf(node, fields, type) {
  switch (node.kind) {
    case 'NullValue':
      return null;
    case 'IntValue':
    case 'FloatValue':
      return Number(node.value);
    case 'ListValue':
      return node.values.map((one) => valueOf(one, fields, type));
    case 'ObjectValue':
      return Object.fromEntries(
        node.fields.map((one) => {
          const named = fields?.[one.name.value];
          return [one.name.value, valueOf(one.value, models[named] ?? fields, named ?? type)];
        }),
      );
    case 'StringValue':
      return type === 'Json' ? { $type: 'Json', value: node.value } : node.value;
    default:
      return node.value;
  }
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  if ('$type' in value) return value.value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

/** Rows of raw queries tell JSON columns as text, where the binary tells values. */
function rawRows(rows) {
  for (const row of Array.isArray(rows) ? rows : []) {
    for (const cell of Object.values(row)) {
      if (cell?.prisma__type === 'json' && typeof cell.prisma__value === 'string') cell.prisma__value = JSON.parse(cell.prisma__value);
    }
  }
  return rows;
}

function answerOf(told) {
  if (!told.data) return told;
  const [[name, value]] = Object.entries(told.data);
  return { data: { result: name === 'queryRaw' ? rawRows(value) : plain(value) } };
}

async function answer(engine, request, body) {
  const trace = JSON.stringify({});
  const [, area, id, deed] = request.url.split('/');
  if (area === 'status') return { status: 'ok' };
  if (area === 'metrics') return { counters: [], gauges: [], histograms: [] };
  if (area === 'transaction' && id === 'start') {
    const { max_wait, timeout, isolation_level } = JSON.parse(body);
    return JSON.parse(await engine.startTransaction(JSON.stringify({ max_wait, timeout, isolation_level }), trace));
  }
  if (area === 'transaction') return JSON.parse(await engine[`${deed}Transaction`](id, trace));
  const asked = JSON.parse(body);
  const transaction = request.headers['x-transaction-id'];
  const ask = async (query) => JSON.parse(await engine.query(JSON.stringify(query), trace, transaction));
  if (!asked.batch) return answerOf(await ask(toJsonProtocol(asked.query)));
  const told = await ask({
    batch: asked.batch.map((one) => toJsonProtocol(one.query)),
    ...(asked.transaction && { transaction: {} }),
  });
  return told.batchResult ? { batchResult: told.batchResult.map(answerOf) } : told;
}

const engine = await loadEngine();
await engine.connect(JSON.stringify({}));
const port = Number(process.argv[process.argv.indexOf('-p') + 1]);
const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  let told;
  try {
    told = await answer(engine, request, Buffer.concat(pieces).toString());
  } catch (error) {
    const message = String(error?.message ?? error);
    told = { errors: [{ error: message, user_facing_error: { is_panic: false, message, meta: {} } }] };
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(told));
});
server.listen(port, 'localhost');
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
// The proxy may be killed: nothing stays behind it.
setInterval(() => process.ppid === 1 && process.exit(0), 1000).unref();
