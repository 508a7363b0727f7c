import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { handlers } from '../../infra/build.ts'
import { list, named, synthesize } from './synthesized.ts'

const ours = synthesize()
const theirs = synthesize({ alarmEmail: 'night@example.com', name: 'Second' })
const alarmsOf = (synthesized: typeof ours) =>
  [synthesized, synthesized.customers, synthesized.http, synthesized.operations].flatMap(({ of }) =>
    of('AWS::CloudWatch::Alarm'),
  )
const alarms = alarmsOf(ours)
const headings = alarms.map(([, { Properties }]) => String(Properties.AlarmName).replace('AgentChat-', ''))

/** Every metric that an alarm or a widget reads, as `[namespace, name, dimension, value, ...]`. */
const metricsOf = ({ Properties }: (typeof alarms)[number][1]): string[][] =>
  (Properties.Metrics ?? [{ MetricStat: { Metric: Properties } }])
    .filter(({ MetricStat }: any) => MetricStat)
    .map(({ MetricStat: { Metric } }: any) => [
      Metric.Namespace,
      Metric.MetricName,
      ...(Metric.Dimensions ?? []).flatMap(({ Name, Value }: any) => [Name, named(Value)]),
    ])

describe('alarms', () => {
  test('watch the endpoints, each worker and each queue, and the whole', () => {
    expect(headings.toSorted()).toEqual([
      ...['agent-api-failing', 'agent-api-slow', 'agent-api-stuck', 'agent-api-unanswered'],
      'agent-requests-refused',
      ...['clock-failing', 'clock-silent'],
      ...['customer-api-failing', 'customer-api-slow', 'customer-api-stuck', 'customer-api-unanswered'],
      'customer-requests-refused',
      ...['fan-out-failing', 'fan-out-given-up'],
      'functions-throttled',
      'http-unanswered',
      ...['index-failing', 'index-given-up', 'index-late'],
      ...['later-failing', 'later-given-up', 'later-late'],
      ...['log-crowded', 'log-given-up'],
      ...['notify-failing', 'notify-given-up', 'notify-late'],
      ...['pushes-given-up', 'pushes-late'],
      'table-throttled',
    ])
    const watched = alarms.map(([, { Properties }]) => named(Properties)).join()
    for (const [id] of [...ours.of('AWS::SQS::Queue'), ...ours.of('AWS::Lambda::Function')])
      if (!id.startsWith('AgentApi')) expect(watched, id).toContain(id)
  })

  test('each say in a sentence of its own what people suffer, and where it says what to do', () => {
    const sentences = alarms.map(([, { Properties }], index) => {
      const [sentence, place] = Properties.AlarmDescription.split(' What to do: ')
      expect(place).toBe(`docs/runbook.md#${headings[index]}`)
      return sentence
    })
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].{30,}[^.]\.$/)
    for (const sentence of sentences)
      expect(sentence).toMatch(/agent|customer|people|somebody|apps?\b|chatting/i)
    expect(new Set(sentences).size).toBe(alarms.length)
  })

  test('have a section of the runbook each, and each section of alarms has its alarm', () => {
    const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8')
    const sections = [...runbook.matchAll(/^### (.+)\n([^]*?)(?=^##|(?![^]))/gm)]
    // of what is deployed beside the stack
    const besides = sections.splice(
      sections.findIndex(([, heading]) => heading === 'webhook-given-up'),
      1,
    )
    expect(besides.map(([, heading]) => heading)).toEqual(['webhook-given-up'])
    expect(sections.map(([, heading]) => heading).toSorted()).toEqual(headings.toSorted())
    const plain = (text: string) => text.replaceAll(/["`]/g, '').replaceAll(/\s+/g, ' ').toLowerCase()
    for (const [, heading = '', text = ''] of sections) {
      const [, alarm] = alarms[headings.indexOf(heading)]!
      expect(plain(text)).toContain(
        `**people:** ${plain(alarm.Properties.AlarmDescription.split(' What to do')[0])}`,
      )
      for (const part of ['**See:**', '**Do:**']) expect(text, heading).toContain(part)
    }
    const read = alarms.flatMap(([, alarm]) => metricsOf(alarm))
    expect(plain(runbook)).toContain(`${alarms.length}, which read ${read.length} metrics`)
  })

  test('of two deployments have different names', () => {
    const names = [...alarms, ...alarmsOf(theirs)].map(([, { Properties }]) => Properties.AlarmName)
    expect(new Set(names).size).toBe(2 * alarms.length)
  })

  test('count failures of any kind, also where there is none of another', () => {
    for (const [, { Properties }] of alarms.filter(([id]) => /Failing|Unanswered|Throttled/.test(id)))
      for (const { Expression, Id } of Properties.Metrics ?? [])
        if (Expression) {
          const others = Properties.Metrics.flatMap((metric: any) => (metric.Id === Id ? [] : [metric.Id]))
          expect(Expression).toBe(`SUM([${others.map((id: string) => `FILL(${id}, 0)`).join(', ')}])`)
        }
  })

  test('read nothing that functions do not measure', () => {
    const read = alarms
      .flatMap(([, alarm]) => metricsOf(alarm))
      .filter(([space]) => space === 'AgentChat/AgentChat')
    const workers = handlers().flatMap((name) => (name.startsWith('worker/') ? [name.slice(7)] : []))
    const kinds = ['agent', 'customer', 'worker']
    const ofKinds = (name: string, of = kinds) => of.map((kind) => `${name} kind ${kind}`)
    expect(new Set(read.map(([, ...rest]) => rest.join(' ')))).toEqual(
      new Set([
        ...workers.map((name) => `records_failed action ${name} kind worker`),
        ...ofKinds('pushes_failed'),
        ...ofKinds('pushes_sent'),
        ...ofKinds('pushes_late'),
        ...ofKinds('retries'),
        ...ofKinds('retries_given_up'),
        ...ofKinds('latency', ['agent', 'customer']),
        ...ofKinds('errors', ['agent', 'customer']),
        // of the metric filters on the endpoints' logs
        ...['agent-failures', 'customer-failures'],
      ]),
    )
  })

  test('with expressions have no more metrics than an alarm may', () => {
    for (const [id, alarm] of alarms) expect(metricsOf(alarm).length, id).toBeLessThanOrEqual(10)
  })

  test('only the silence of the clock is an alarm, elsewhere silence is peace', () => {
    for (const [id, { Properties }] of alarms)
      expect([id, Properties.TreatMissingData]).toEqual([
        id,
        id.startsWith('WorkersclockSilent') ? 'breaching' : 'notBreaching',
      ])
  })

  test('are mailed, on and off, where an address is given', () => {
    for (const [, { Properties }] of alarms)
      expect([Properties.AlarmActions, Properties.OKActions]).toEqual([undefined, undefined])
    expect(theirs.of('AWS::SNS::Subscription').map(([, { Properties }]) => Properties)).toMatchObject([
      { Protocol: 'email', Endpoint: 'night@example.com' },
    ])
    for (const [id, { Properties }] of alarmsOf(theirs))
      for (const actions of [Properties.AlarmActions, Properties.OKActions])
        expect(list(actions).map(named), id).toEqual([expect.stringMatching(/AlarmTopic/)])
    const [[, policy] = []] = theirs.of('AWS::SNS::TopicPolicy')
    expect(
      policy!.Properties.PolicyDocument.Statement.map(({ Sid, Effect }: any) => `${Effect} ${Sid}`),
    ).toEqual(['Deny AllowPublishThroughSSLOnly', 'Allow Alarms'])
  })
})

describe('the dashboard', () => {
  const [[, dashboard] = []] = ours.operations.of('AWS::CloudWatch::Dashboard')
  // references become text, so that the body is JSON
  const body = dashboard!.Properties.DashboardBody['Fn::Join'][1].map((part: any) =>
    typeof part === 'string' ? part : '<ref>',
  )
  const { widgets } = JSON.parse(body.join(''))

  test('goes by the name of its deployment and fills the width', () => {
    expect(dashboard!.Properties.DashboardName).toBe('AgentChat')
    const rows = Map.groupBy<number, any>(widgets, ({ y }) => y)
    for (const [y, row] of rows)
      expect(
        row.reduce((sum, { width }) => sum + width, 0),
        `row ${y}`,
      ).toBe(24)
  })

  test('shows on top who suffers: the state of every alarm', () => {
    expect(widgets[0]).toMatchObject({ type: 'alarm', y: 0, width: 24 })
    const shown = widgets[0].properties.alarms.map((arn: string) => arn.split(':alarm:')[1])
    expect(shown.toSorted()).toEqual(headings.map((heading) => `AgentChat-${heading}`).toSorted())
  })

  test('shows every number that functions measure', () => {
    const text = JSON.stringify(widgets)
    for (const name of [
      ...['latency', 'errors', 'fan_out', 'retries', 'retries_given_up'],
      ...['pushes_sent', 'pushes_late', 'pushes_gone', 'pushes_failed'],
    ])
      expect(text, name).toContain(name)
    for (const title of ['Requests', 'Answered with errors, by type', 'How long requests take, ms', 'Pushes'])
      expect(widgets.filter(({ properties }: any) => properties.title === title)).toHaveLength(1)
  })

  test('asks for metrics by dimensions that are there, and never by license', () => {
    const dimensions = new Set(
      [...body.join('').matchAll(/AgentChat\/AgentChat\\+",([a-z,]+)/g)].map(([, found]) => found),
    )
    expect(dimensions).toEqual(new Set(['error', 'kind,action']))
    expect(body.join('')).not.toMatch(/licen[cs]e/i)
    expect([...agentActions, ...customerActions].length).toBeLessThan(100)
  })
})
