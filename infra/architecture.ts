import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { parseSync } from 'oxc-parser'
import { rooms } from './floors.ts'

// docs/architecture.md's picture of the house, made of what files really import.

const roomOf = (file: string): string | undefined => {
  const held = (folder: string): boolean => posix.dirname(file) === folder
  const beneath = (folder: string): boolean => file.startsWith(`${folder}/`)
  // the wire has a folder for each endpoint's contracts
  return rooms.find(({ folder }) => held(folder) || (folder === 'shared/protocol' && beneath(folder)))?.folder
}

/**
 * Which rooms each room imports, by the files as they are. Throws for an arrow that `rooms` does not allow.
 */
const importsOf = (root: string): Map<string, Set<string>> => {
  const arrows = new Map(rooms.map(({ folder }) => [folder, new Set<string>()]))
  for (const file of globSync('{functions,shared,infra}/**/*.{ts,tsx}', { cwd: root }).map(posixed)) {
    const from = roomOf(file)
    if (from === undefined) throw new Error(`${file} is in no room: name its folder in infra/floors.ts.`)
    const { module } = parseSync(file, readFileSync(posix.join(root, file), 'utf8'))
    const named = [
      ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
      ...module.staticExports.flatMap(({ entries }) =>
        entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
      ),
    ]
    for (const name of named.filter((one) => one.startsWith('.'))) {
      const to = roomOf(posix.join(posix.dirname(file), name))
      if (to === undefined || to === from) continue
      if (!isAllowed(from, to)) throw new Error(`${file} imports ${name}, which is not below it.`)
      arrows.get(from)?.add(to)
    }
  }
  return arrows
}

const posixed = (path: string): string => path.replaceAll('\\', '/')

const isAllowed = (from: string, to: string): boolean => {
  const [one, other] = [from, to].map((folder) => rooms.find((room) => room.folder === folder))
  if (one === undefined || other === undefined) return false
  return other.floor < one.floor || one.besides?.includes(to) === true
}

/** Whether other arrows lead there as well. */
const isImplied = (arrows: Map<string, Set<string>>, from: string, to: string): boolean => {
  const reached = new Set<string>()
  const queue = [...(arrows.get(from) ?? [])].filter((next) => next !== to)
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next === to) return true
    if (next === from || reached.has(next)) continue
    reached.add(next)
    queue.push(...(arrows.get(next) ?? []))
  }
  return false
}

/** The arrows without those that follow from others, one after the other: of a circle some stay. */
const essential = (all: Map<string, Set<string>>): Map<string, Set<string>> => {
  const arrows = new Map([...all].map(([from, to]) => [from, new Set(to)]))
  for (const [from, to] of all)
    for (const one of to) if (isImplied(arrows, from, one)) arrows.get(from)?.delete(one)
  return arrows
}

/** The house as a Mermaid flowchart: a box per floor, the roof first. */
export const houseDiagram = (root: string): string => {
  const arrows = essential(importsOf(root))
  const id = (folder: string) => folder.replaceAll(/\W/g, '_')
  const floors = [...new Set(rooms.map(({ floor }) => floor))].toSorted((a, b) => b - a)
  const boxes = floors.flatMap((floor) => [
    `  subgraph floor${floor}["floor ${floor}"]`,
    ...rooms
      .filter((room) => room.floor === floor)
      .map(({ folder, holds }) => `    ${id(folder)}["<b>${folder}</b><br>${holds}"]`),
    '  end',
  ])
  const drawn = [...arrows].flatMap(([from, all]) =>
    [...all].toSorted((a, b) => a.localeCompare(b)).map((to) => `  ${id(from)} --> ${id(to)}`),
  )
  return ['```mermaid', 'flowchart TD', ...boxes, ...drawn, '```'].join('\n')
}
