import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { codegen } from '@graphql-codegen/core';
import * as documentNodes from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';
import { parse as parseYaml } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A block of code of a page: ```language title=file */
export interface CodeBlock {
  readonly language: string;
  /** Name of the file that it is, or null when it is only shown. */
  readonly file: string | null;
  readonly text: string;
}

/** The fenced blocks of a page of the docs. */
export function codeBlocks(page: string): CodeBlock[] {
  const text = readFileSync(`${root}docs/${page}`, 'utf8');
  return [...text.matchAll(/^```(\w+)(?: title=(\S+))?\n(.*?)^```$/gms)].map((match) => {
    return { language: match[1]!, file: match[2] ?? null, text: match[3]! };
  });
}

const plugins = { 'typescript-operations': operations, 'typed-document-node': documentNodes };

interface CodegenConfig {
  readonly schema: string;
  readonly documents: string;
  readonly generates: Readonly<
    Record<string, { plugins: (keyof typeof plugins)[]; config: Record<string, unknown> }>
  >;
}

/**
 * Lays the files of a page in a folder, and beside them what GraphQL Code Generator makes by the page's codegen.yml: by the
 * same plugins as its command, which would bring 250 packages more.
 */
export async function layDocumentedFiles(blocks: readonly CodeBlock[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = new Map(blocks.flatMap(({ file, text }) => (file ? [[file, text] as const] : [])));
  for (const [file, text] of files) await writeFile(`${folder}/${file}`, text);
  const settings = parseYaml(files.get('codegen.yml')!) as CodegenConfig;
  const schema = parse(readFileSync(`${root}${settings.schema}`, 'utf8'));
  const document = parse(files.get(settings.documents)!);
  for (const [filename, { plugins: names, config }] of Object.entries(settings.generates)) {
    const code = await codegen({
      filename,
      schema,
      documents: [{ location: settings.documents, document }],
      config,
      plugins: names.map((name) => ({ [name]: {} })),
      pluginMap: plugins,
    });
    await writeFile(`${folder}/${filename}`, code);
  }
}
