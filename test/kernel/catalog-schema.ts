import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type AnySchema } from "ajv/dist/2020.js";

const path = join(import.meta.dirname, "../../docs/kernel-catalog.schema.json");
const schema: AnySchema = JSON.parse(readFileSync(path, "utf8"));
const validate = new Ajv2020({ allowUnionTypes: true, strictRequired: false }).compile(schema);

/** Whether the published schema accepts a document, by a validator that is not ours. */
export function schemaAccepts(document: unknown): boolean {
  return validate(document) === true;
}
