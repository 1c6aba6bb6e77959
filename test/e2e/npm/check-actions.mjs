// Prints what GitHub's language service finds in action.yml and workflow files, as a JSON array.
import {readFileSync} from "node:fs";
import {validate} from "@actions/languageservice";
import {TextDocument} from "vscode-languageserver-textdocument";

async function check(paths) {
  const found = [];
  for (const path of paths) {
    const document = TextDocument.create("file://" + path, "yaml", 1, readFileSync(path, "utf8"));
    for (const d of await validate(document)) found.push({path, line: d.range.start.line + 1, message: d.message});
  }
  process.stdout.write(JSON.stringify(found));
}
check(process.argv.slice(2));
