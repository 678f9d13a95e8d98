// The gateway in Node, tuned for one core: node:http without a framework, one Redis script a request over one connection
// that pipelines by itself, tokens remembered once verified, one write of the audit trail for many lines.
// It keeps no registry and passes the provider's body on as it came.
import cluster from "node:cluster";
import {
    createCipheriv, createDecipheriv, createHmac, createSecretKey, randomBytes, randomFillSync, timingSafeEqual,
} from "node:crypto";
import { open } from "node:fs/promises";
import { createServer } from "node:http";

import { Redis } from "ioredis";
import { Pool } from "undici";

const told = JSON.parse(process.env.NODE_GATE);
const SCOPES = new Set(["entreprises", "unites_legales_etablissements_insee"]);
const PATH = "/v3/insee/sirene/unites_legales/";
const MOST_REMEMBERED = 100_000;
const WINDOW_SECONDS = 60;

// One text rather than a list: half the reads of the reply.
const LOOK = `
local function counted(key)
    local calls = redis.call('INCR', key)
    if calls == 1 then redis.call('EXPIRE', key, 60) end
    return calls
end
local banned = redis.call('EXISTS', KEYS[1])
if banned == 1 then return '1 0 0 ' end
return '0 ' .. counted(KEYS[2]) .. ' ' .. counted(KEYS[3]) .. ' ' .. (redis.call('GET', KEYS[4]) or '')
`;

const store = new Redis({
    host: "127.0.0.1",
    port: told.redis_port,
    db: told.redis_database,
    enableAutoPipelining: true,
    scripts: { look: { lua: LOOK, numberOfKeys: 4 } },
});
const provider = new Pool(`http://127.0.0.1:${told.upstream_port}`, { connections: 128, pipelining: 1 });
const cacheKey = createSecretKey(Buffer.from(told.cache_key, "base64"));
const jwtKey = createSecretKey(Buffer.from(told.secret));

class Trail {
    // Lines wait while a write is under way, and leave together with the next one.
    constructor(file) {
        this.file = file;
        this.waiting = "";
        this.isWriting = false;
    }

    append(line) {
        this.waiting += line;
        if (!this.isWriting) {
            this.isWriting = true;
            setImmediate(() => this.write());
        }
    }

    async write() {
        while (this.waiting) {
            const lines = this.waiting;
            this.waiting = "";
            await this.file.write(lines);
        }
        this.isWriting = false;
    }
}

function sealed(body) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", cacheKey, nonce);
    return Buffer.concat([nonce, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
}

function opened(value) {
    const end = value.length - 16;
    const decipher = createDecipheriv("aes-256-gcm", cacheKey, value.subarray(0, 12));
    decipher.setAuthTag(value.subarray(end));
    const body = decipher.update(value.subarray(12, end));
    decipher.final();
    return body;
}

function judged(token) {
    const [head, payload, signature, ...more] = token.split(".");
    if (signature === undefined || more.length) return null;
    try {
        if (JSON.parse(Buffer.from(head, "base64url")).alg !== "HS256") return null;
        const expected = createHmac("sha256", jwtKey).update(`${head}.${payload}`).digest();
        const given = Buffer.from(signature, "base64url");
        if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
        const claims = JSON.parse(Buffer.from(payload, "base64url"));
        const mayRead = claims.scopes.some((scope) => SCOPES.has(scope));
        const limit = claims.jti.startsWith(told.metered_prefix) ? told.metered_limit : told.limit;
        return { jti: claims.jti, exp: claims.exp, key: `token:${claims.jti}:`, mayRead, limit };
    } catch {
        return null;
    }
}

const verified = new Map();

function claimsOf(authorization, now) {
    if (authorization === undefined) return null;
    let claims = verified.get(authorization);
    if (claims === undefined) {
        claims = authorization.startsWith("Bearer ") ? judged(authorization.slice(7)) : null;
        if (verified.size >= MOST_REMEMBERED) verified.delete(verified.keys().next().value);
        verified.set(authorization, claims);
    }
    return claims !== null && claims.exp > now ? claims : null;
}

function hasTrace(query) {
    const given = new Set();
    for (const pair of query.split("&")) {
        const equals = pair.indexOf("=");
        if (equals > 0 && equals < pair.length - 1) given.add(pair.slice(0, equals));
    }
    return given.has("context") && given.has("object") && given.has("recipient");
}

// Random bytes are drawn for many identifiers at once.
const pool = Buffer.alloc(16 * 1024);
let drawn = pool.length;

function identifier() {
    if (drawn === pool.length) {
        randomFillSync(pool);
        drawn = 0;
    }
    drawn += 16;
    return pool.toString("hex", drawn - 16, drawn);
}

async function fetched(siren) {
    const sent = await provider.request({
        path: `/insee-sirene.example/api-sirene/prive/3.11/siren/${siren}`,
        method: "GET",
        headers: { authorization: "Bearer bench" },
    });
    const body = Buffer.from(await sent.body.arrayBuffer());
    if (sent.statusCode !== 200) return { status: sent.statusCode === 404 ? 404 : 502 };
    await store.set(`cache:${siren}`, sealed(body), "EX", 3600);
    return { body };
}

async function decided(request, visit) {
    const now = Date.now() / 1000;
    const claims = claimsOf(request.headers.authorization, now);
    if (claims === null) return { status: 401 };
    visit.jti = claims.jti;
    const mark = request.url.indexOf("?");
    const path = mark < 0 ? request.url : request.url.slice(0, mark);
    const siren = path.slice(PATH.length);
    if (!path.startsWith(PATH) || !/^[0-9]{9}$/.test(siren)) return { status: 404 };

    const minute = Math.floor(now / WINDOW_SECONDS);
    const seen = await store.lookBuffer(`ban:${visit.ip}`, `ip:${visit.ip}:${minute}`, claims.key + minute, `cache:${siren}`);
    if (seen[0] === 0x31) return { status: 0 };
    const afterIp = seen.indexOf(0x20, 2);
    const afterToken = seen.indexOf(0x20, afterIp + 1);
    const byIp = +seen.toString("latin1", 2, afterIp);
    const byToken = +seen.toString("latin1", afterIp + 1, afterToken);
    if (byIp > told.limit || byToken > claims.limit) return { status: 429 };
    if (!claims.mayRead) return { status: 403 };
    if (mark < 0 || !hasTrace(request.url.slice(mark + 1))) return { status: 422 };
    visit.left = claims.limit - byToken;
    if (seen.length > afterToken + 1) return { body: opened(seen.subarray(afterToken + 1)), isCached: true };
    return fetched(siren);
}

async function answer(request, response, trail) {
    const visit = { id: identifier(), ip: request.socket.remoteAddress, jti: "", left: 0 };
    const began = performance.now();
    let { status = 200, body, isCached = false } = await decided(request, visit);
    if (status === 0) {
        request.socket.destroy();
    } else if (status === 200) {
        response.writeHead(200, [
            "Content-Type", "application/json", "Content-Length", body.length, "X-Request-Id", visit.id,
            "X-Response-Cached", isCached ? "true" : "false", "RateLimit-Remaining", visit.left,
        ]);
        response.end(body);
    } else {
        body = `{"errors":[{"code":"${status}"}]}`;
        response.writeHead(status, [
            "Content-Type", "application/json", "Content-Length", body.length, "X-Request-Id", visit.id,
        ]);
        response.end(body);
    }
    const elapsed = (performance.now() - began).toFixed(1);
    trail.append(
        `{"at":${Date.now()},"id":"${visit.id}","ip":"${visit.ip}","jti":"${visit.jti}",` +
            `"status":${status},"ms":${elapsed},"asked":${JSON.stringify(request.url)}}\n`,
    );
}

if (cluster.isPrimary && told.workers > 1) {
    for (let number = 0; number < told.workers; number++) cluster.fork();
    process.on("SIGTERM", () => {
        for (const worker of Object.values(cluster.workers)) worker.process.kill();
        process.exit();
    });
} else {
    const trail = new Trail(await open(told.audit, "a"));
    const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
        answer(request, response, trail).catch((error) => {
            console.error(error);
            request.socket.destroy();
        });
    });
    server.listen({ port: told.port, host: "127.0.0.1", backlog: 1024 });
}
