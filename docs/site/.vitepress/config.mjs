// The documents of the repository as a site in two languages, with a search that
// needs no server. Nothing is written for it: README and docs are its pages.
//
// SITE_VERSION, e.g. v0.1.0, makes the site of that version, to be served below
// /v0.1.0/ beside the others.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

const here = path.dirname(fileURLToPath(import.meta.url))
const root = path.resolve(here, '../../..')

// page is where the site has a document.
const page = (file) => file.replace(/^docs\//, '').replace(/^(.*)\.zh-CN\.md$/, 'zh/$1.md').replace(/README\.md$/, 'index.md')

// The pages are copied beside the generator, which looks for its parts around them.
const copy = path.resolve(here, '../pages')
const from = new Map() // page to document
rmSync(copy, { recursive: true, force: true })
for (const folder of ['', 'docs']) {
  for (const name of readdirSync(path.join(root, folder)).filter((name) => /\.(md|svg)$/.test(name))) {
    const file = path.join(folder, name)
    from.set(path.join(copy, page(file)), path.join(root, file))
    cpSync(path.join(root, file), path.join(copy, page(file)))
  }
}

const version = process.env.SITE_VERSION ?? ''
const base = version ? `/${version}/` : '/'
const source = `https://github.com/ips-p2p/ips/blob/${version || 'main'}/`

// Chinese has no blanks between words: the search takes each character as one.
const tokenize = (text) => text.toLowerCase().match(/[\p{Script=Han}]|[\p{L}\p{N}_]+/gu) ?? []

const pages = [
  ['first-hour', 'The first hour', '第一小时'],
  ['cookbook', 'Cookbook', '实用手册'],
  ['orders', 'Orders in your own database', '订单簿'],
  ['own-orders', 'A table of your own', '自有订单表'],
  ['lending', 'A loan', '一笔借款'],
  ['frameworks', 'Web frameworks', 'Web 框架'],
  ['sandbox', 'The sandbox', '沙箱'],
  ['reference', 'Reference', '接口参考'],
  ['php-java', 'For PHP and Java', '给 PHP 和 Java 同事'],
  ['operators', 'For operators', '写给运维'],
  ['SECURITY', 'Security', '安全'],
]

const english = ['architecture', 'benchmarks', 'dependencies', 'attacks', 'CONTRIBUTING', 'CHANGELOG']

export default defineConfig({
  title: `ips ${version}`.trim(),
  base,
  description: 'Go SDK for the IPS fund-custody platform (环迅支付资金管理平台)',
  srcDir: copy,
  outDir: path.join(root, '.ci/out/site'),
  cacheDir: path.join(root, '.ci/out/site-cache'),
  cleanUrls: false,
  lastUpdated: false,
  markdown: {
    config(md) {
      // Links are those of the repository: to a page, or to a file that is none.
      md.core.ruler.push('repository', (state) => {
        for (const token of state.tokens.flatMap((t) => t.children ?? [])) {
          if (token.type === 'image') token.attrSet('src', '/' + path.basename(token.attrGet('src')))
          const href = token.type === 'link_open' ? token.attrGet('href') : null
          if (!href || /^(\w+:|#|\/)/.test(href)) continue
          const [to, hash = ''] = href.split('#')
          const file = path.relative(root, path.resolve(path.dirname(from.get(state.env.path)), to))
          if (!existsSync(path.join(root, file))) throw new Error(`${state.env.path}: no ${file}`)
          token.attrSet('href', (file.endsWith('.md') ? '/' + page(file) : source + file) + (hash && '#' + hash))
        }
      })
    },
  },
  locales: {
    root: { label: 'English', lang: 'en' },
    zh: { label: '简体中文', lang: 'zh-CN' },
  },
  themeConfig: {
    sidebar: {
      '/': [...pages.map(([name, text]) => ({ text, link: `/${name}` })), ...english.map((name) => ({ text: name, link: `/${name}` }))],
      '/zh/': [...pages.map(([name, , text]) => ({ text, link: `/zh/${name}` }))],
    },
    search: { provider: 'local', options: { miniSearch: { options: { tokenize, processTerm: (term) => term.toLowerCase() }, searchOptions: { combineWith: 'AND' } } } },
  },
})
