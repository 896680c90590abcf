// Asks the built site's own indexes, as a reader's browser does, and fails if a
// word is not found on the page that is about it.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import MiniSearch from 'minisearch'
import site from './.vitepress/config.mjs'

const { processTerm, tokenize } = site.themeConfig.search.options.miniSearch.options
const { searchOptions } = site.themeConfig.search.options.miniSearch
const chunks = path.join(site.outDir, 'assets/chunks')

for (const [locale, words] of Object.entries({
  root: { 'fate unknown': '/cookbook.html', pMerBillNo: '/reference.html', 'compose': '/sandbox.html' },
  zh: { 充值: '/zh/first-hour.html', 订单号重复: '/zh/sandbox.html', pMerBillNo: '/zh/reference.html', 代偿还款: '/zh/reference.html' },
})) {
  const file = readdirSync(chunks).find((name) => name.startsWith(`@localSearchIndex${locale}.`))
  if (!file) throw new Error(`no index of ${locale}`)
  // Older versions of Node take a .js file of this folder for CommonJS.
  const chunk = await import('data:text/javascript,' + encodeURIComponent(readFileSync(path.join(chunks, file), 'utf8')))
  const index = MiniSearch.loadJSON(chunk.default, {
    fields: ['title', 'titles', 'text'],
    storeFields: ['title', 'titles'],
    tokenize,
    processTerm,
    searchOptions: { ...searchOptions, fuzzy: 0.2, prefix: true },
  })
  for (const [word, page] of Object.entries(words)) {
    const found = index.search(word).map((hit) => hit.id.replace(/#.*/, ''))
    if (!found.includes(site.base.replace(/\/$/, '') + page)) throw new Error(`${word} is not found on ${page}: ${[...new Set(found)].join(' ') || 'nowhere'}`)
  }
  console.log(`${file}: ${index.documentCount} sections, all words found`)
}
