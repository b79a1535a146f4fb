import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import SQLite from "better-sqlite3";
import { withStatementCache } from "../../src/store/statement-cache.ts";

let connection: SQLite.Database;
beforeEach(() => {
  connection = new SQLite(":memory:");
  connection.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT");
});
afterEach(() => connection.close());

test("a text is compiled once, and asked with other values each time", () => {
  const cached = withStatementCache(connection);
  const insert = "INSERT INTO t (name) VALUES (?)";
  for (const name of ["a", "b"]) cached.prepare(insert).run([name]);
  const find = "SELECT name FROM t WHERE id = ?";
  assert.equal(cached.prepare(find), cached.prepare(find));
  assert.deepEqual(
    [1, 2, 3].map((id) => cached.prepare(find).all([id])),
    [[{ name: "a" }], [{ name: "b" }], []],
  );
});

test("a statement that failed serves again", () => {
  const cached = withStatementCache(connection);
  const insert = (name: unknown) => cached.prepare("INSERT INTO t (name) VALUES (?)").run([name]);
  insert("a");
  assert.throws(() => insert("a"), /UNIQUE/);
  insert("b");
  assert.deepEqual(cached.prepare("SELECT count(*) AS n FROM t").all([]), [{ n: 2 }]);
});

test("what is used stays, and what was used longest ago goes", () => {
  const cached = withStatementCache(connection);
  const select = (at: number) => cached.prepare(`SELECT ${at} AS n`);
  const [kept, forgotten] = [select(0), select(1)];
  for (let at = 2; at < 200; at++) {
    select(at);
    assert.equal(select(0), kept);
  }
  assert.notEqual(select(1), forgotten);
  assert.deepEqual(select(1).all([]), [{ n: 1 }]);
});
