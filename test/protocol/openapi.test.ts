import { Validator } from '@seriousme/openapi-schema-validator'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { httpActions, httpPath } from '../../shared/protocol/agent/index.ts'
import { errorTable } from '../../shared/protocol/errors.ts'

const file = join(import.meta.dirname, '../../openapi.json')
const parsed = async () => JSON.parse(await readFile(file, 'utf8'))

describe('openapi.json', () => {
  test('is valid by the schema of OpenAPI 3.1, and every reference leads somewhere', async () => {
    const document = await parsed()
    const validator = new Validator()
    expect(await validator.validate(structuredClone(document))).toEqual({ valid: true })
    expect(validator.version).toBe('3.1')
    for (const [, path = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g))
      expect(
        path.split('/').reduce((value, name) => value?.[name], document),
        path,
      ).toBeDefined()
  })

  test('has a path for each action that may be asked for over HTTP, and nothing else', async () => {
    const { paths, security } = await parsed()
    expect(Object.keys(paths)).toEqual(httpActions.map(({ name }) => httpPath(name)))
    expect(security).toEqual([{ token: [] }])
    for (const { name, summary, response } of httpActions) {
      const { post, ...others } = paths[httpPath(name)]
      expect(others).toEqual({})
      expect(post).toMatchObject({ operationId: name, summary })
      const codes = Object.values(errorTable).map(({ code }) => String(code))
      expect(Object.keys(post.responses)).toEqual([...new Set(['200', ...codes])].toSorted())
      const { schema } = post.responses[200].content['application/json']
      expect('maxProperties' in schema).toBe(response === null)
    }
  })

  test('says nothing of connections', async () => {
    expect(JSON.stringify(await parsed())).not.toMatch(/\b(request_id|logout|follow_chat|RequestId)\b/)
  })
})
