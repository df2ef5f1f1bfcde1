// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Records what the OpenTelemetry SDK for JavaScript sends, as it is on the wire: see README.md.
const fs = require('fs');
const http = require('http');
const path = require('path');
const { SpanKind, SpanStatusCode, TraceFlags, ROOT_CONTEXT, trace } = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { MeterProvider, PeriodicExportingMetricReader, AggregationType, AggregationTemporality } = require('@opentelemetry/sdk-metrics');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');

const out = process.argv[2];

async function record(kind, compression, port) {
  const suffix = kind === 'proto' ? 'pb' : 'json';
  const url = (signal) => ({ url: `http://127.0.0.1:${port}/v1/${signal}`, compression, headers: { 'x-name': `${compression}.${suffix}` } });
  const exporter = (signal, cls) => new (require(`@opentelemetry/exporter-${signal}-otlp-${kind}`)[cls])(url({ trace: 'traces' }[signal] || signal));
  const resource = resourceFromAttributes({ 'service.name': 'shop', 'process.pid': 42, 'list': ['a', 'b'], 'on': true, 'ratio': 0.25 });

  const provider = new BasicTracerProvider({
    resource, spanLimits: { attributeCountLimit: 6, eventCountLimit: 2, linkCountLimit: 1 },
    spanProcessors: [new BatchSpanProcessor(exporter('trace', 'OTLPTraceExporter'))],
  });
  const tracer = provider.getTracer('shop.cart', '1.2.3', { schemaUrl: 'https://opentelemetry.io/schemas/1.30.0' });
  const parent = tracer.startSpan('checkout ✓', { kind: SpanKind.SERVER, root: true });
  const link = { context: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED, isRemote: true }, attributes: { n: 1 } };
  const child = tracer.startSpan('pay', { kind: SpanKind.CLIENT, links: [link, link] }, trace.setSpan(ROOT_CONTEXT, parent));
  for (let i = 0; i < 9; i++) child.setAttribute(`k${i}`, [i, 1.5 * i, `v${i}`, i % 2 === 0][i % 4]);
  for (let i = 0; i < 4; i++) child.addEvent(`event ${i}`, { i, list: [1, 2, 3], empty: '' });
  const declined = new Error('card declined');
  declined.stack = 'Error: card declined\n    at pay (cart.js:33:25)'; // not where this file lies
  child.recordException(declined);
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
  child.end();
  parent.setStatus({ code: SpanStatusCode.OK });
  parent.end();
  await provider.shutdown();

  for (const temporality of [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA]) {
    const options = { ...url('metrics'), temporalityPreference: temporality };
    const metricExporter = new (require(`@opentelemetry/exporter-metrics-otlp-${kind}`).OTLPMetricExporter)(options);
    const meters = new MeterProvider({
      resource, readers: [new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 3600000 })],
      views: [{ instrumentName: 'exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
    });
    const meter = meters.getMeter('shop.cart', '1.2.3', { schemaUrl: 'https://opentelemetry.io/schemas/1.30.0' });
    meter.createCounter('orders', { unit: '{order}', description: 'Orders.' }).add(3, { 'shop.country': 'DE' });
    meter.createUpDownCounter('carts').add(-2);
    meter.createGauge('temperature', { unit: 'Cel' }).record(21.5, { room: 'a' });
    const histogram = meter.createHistogram('duration', { unit: 's' });
    const exponential = meter.createHistogram('exponential', { unit: 's' });
    for (const v of [0, 0.001, 0.5, 3, 700, 12000]) { histogram.record(v, { route: '/' }); exponential.record(v); }
    meter.createObservableCounter('cpu').addCallback((r) => { r.observe(1.25, { cpu: 0 }); r.observe(2.5, { cpu: 1 }); });
    await meters.shutdown();
  }

  const logs = new LoggerProvider({ resource, logRecordLimits: { attributeCountLimit: 3 }, processors: [new BatchLogRecordProcessor({ exporter: exporter('logs', 'OTLPLogExporter') })] });
  const logger = logs.getLogger('shop.log', '1', { schemaUrl: 'https://opentelemetry.io/schemas/1.30.0' });
  const bodies = ['text', '', 17, -0.5, true, null, undefined, ['a', 1, null], { deep: { list: [1, { x: 'y' }], bytes: new Uint8Array([0, 255]) } }, new Uint8Array([1, 2])];
  bodies.forEach((body, i) => logger.emit({
    body, severityNumber: SeverityNumber.INFO + i, severityText: `level ${i}`, timestamp: 1763800000000 + i,
    attributes: { i, map: { a: [{ b: null }] }, c: 'c', dropped: true },
    context: i % 2 ? trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(link.context)) : undefined,
  }));
  logger.emit({ eventName: 'browser.page_view', body: { url: '/cart' } });
  logger.emit({ eventName: 'stageflow.run.started', body: 'the name of ours, and nothing else of it' });
  await logs.shutdown();
}

const counts = {};
const server = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (c) => chunks.push(c));
  req.on('end', () => {
    const body = Buffer.concat(chunks);
    const signal = req.url.split('/').pop();
    const kind = req.headers['content-type'] === 'application/json' ? 'json' : 'pb';
    const encoding = req.headers['content-encoding'] === 'gzip' ? '.gz' : '';
    const key = `js-${signal}-${kind}${encoding}`;
    counts[key] = (counts[key] || 0) + 1;
    fs.writeFileSync(path.join(out, `js-${signal}-${counts[key]}.${kind}${encoding}`), body);
    res.setHeader('content-type', req.headers['content-type']);
    res.end(kind === 'json' ? '{}' : '');
  });
});
server.listen(0, '127.0.0.1', async () => {
  for (const kind of ['http', 'proto']) for (const compression of ['none', 'gzip']) await record(kind, compression, server.address().port);
  server.close();
});
