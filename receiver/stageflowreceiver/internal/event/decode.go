// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/valyala/fastjson"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// MaxSize is the longest event that is read, in bytes of JSON. The captures' longest is 200 kB.
const MaxSize = 1 << 20

// Errors of a single line; they go back to the sender.
var (
	ErrTooLarge  = fmt.Errorf("the event is longer than %d bytes", MaxSize)
	errNotObject = errors.New("an event is a JSON object")
	errNoType    = errors.New(`an event has a string "type" (or "event_type")`)
	errNotJSON   = errors.New("not JSON")
)

// Rejection is one line, or one element of an array, that is not an event.
type Rejection struct {
	// Line counts from 1; for an array it is the element's number.
	Line int
	Err  error
}

// Reason is what is wrong with the line without any of its text, which Err may quote: a log must not show what was to be
// redacted.
func (r Rejection) Reason() string {
	if errors.Is(r.Err, errNotJSON) {
		return errNotJSON.Error()
	}
	return r.Err.Error()
}

// Request names a request among its copies: a sender that resends it gives it the same number again. Both parts are
// empty for senders that number nothing.
type Request struct{ SinkID, BatchSeq string }

// Decoder turns request bodies into records in wire form. It reuses memory and is not for concurrent use.
type Decoder struct {
	// From identifies the request; its events that have no number of their own are numbered by it.
	From Request

	parser fastjson.Parser
	conv   converter
}

// Decode reads a body (one object, an array of objects, or JSON lines) and appends one record per event to dst.
// lines says that the body is JSON lines whatever it looks like (application/x-ndjson). A bad line is reported
// and takes no good one with it. repairs counts the values that had to be changed.
func (d *Decoder) Decode(body []byte, lines bool, dst plog.LogRecordSlice) (rejected []Rejection, repairs int) {
	d.conv.repairs = 0
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if whole := bytes.TrimSpace(body); !lines && len(whole) > 0 {
		if v, err := d.parse(whole); err == nil {
			if v.Type() != fastjson.TypeArray {
				return d.one(nil, v, 1, len(whole), dst), d.conv.repairs
			}
			for i, item := range v.GetArray() {
				rejected = d.one(rejected, item, i+1, d.conv.size(item), dst)
			}
			return rejected, d.conv.repairs
		}
		// More than one value: JSON lines that were not declared as such.
		d.conv.repairs = 0
	}
	for n := 1; len(body) > 0; n++ {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(line) > MaxSize {
			rejected = append(rejected, Rejection{n, ErrTooLarge})
			continue
		}
		v, err := d.parse(line)
		if err != nil {
			rejected = append(rejected, Rejection{n, fmt.Errorf("%w: %w", errNotJSON, err)})
			continue
		}
		rejected = d.one(rejected, v, n, len(line), dst)
	}
	return rejected, d.conv.repairs
}

func (d *Decoder) one(rejected []Rejection, v *fastjson.Value, line, size int, dst plog.LogRecordSlice) []Rejection {
	if size > MaxSize {
		return append(rejected, Rejection{line, ErrTooLarge})
	}
	obj, err := v.Object()
	if err != nil {
		return append(rejected, Rejection{line, errNotObject})
	}
	typ := obj.Get("type")
	if typ == nil {
		typ = obj.Get("event_type")
	}
	if typ == nil || typ.Type() != fastjson.TypeString {
		return append(rejected, Rejection{line, errNoType})
	}
	lr := dst.AppendEmpty()
	d.conv.texts = texts{}
	d.conv.record(obj, lr)
	d.number(lr, line)
	return rejected
}

// number identifies an event by its request and its place in it, if it does not identify itself.
func (d *Decoder) number(lr plog.LogRecord, line int) {
	if d.From.SinkID == "" || d.From.BatchSeq == "" {
		return
	}
	attrs := lr.Attributes()
	if _, numbered := attrs.Get(semconv.EventSeqKey); numbered {
		return
	}
	if sink, found := attrs.GetOrPutEmpty(semconv.EventSinkIDKey); !found {
		sink.SetStr(d.conv.cleanText(d.From.SinkID)) // a header may hold any bytes
	}
	attrs.PutStr(semconv.EventBatchKey, d.conv.cleanText(d.From.BatchSeq)+"/"+strconv.Itoa(line))
}

// parse tries the bytes as they are and, because most are fine, repairs only what does not parse, or parses to
// something else than was meant.
func (d *Decoder) parse(b []byte) (*fastjson.Value, error) {
	if bytes.Contains(b, []byte(`\ud`)) || bytes.Contains(b, []byte(`\uD`)) {
		b = d.repair(b)
	}
	v, err := d.parser.ParseBytes(b)
	if err == nil {
		return v, nil
	}
	fixed := d.repair(b)
	if len(fixed) == len(b) && bytes.Equal(fixed, b) {
		return nil, err
	}
	return d.parser.ParseBytes(fixed)
}

func (d *Decoder) repair(b []byte) []byte {
	fixed, n := repair(b)
	d.conv.repairs += n
	return fixed
}

// textMembers are what may stand beside type and data and has an attribute of its own.
var textMembers = map[string]string{
	"sink_id":     semconv.EventSinkIDKey,
	"sink_batch":  semconv.EventBatchKey,
	"traceparent": semconv.EventTraceParentKey,
}

// record writes one parsed event into lr.
func (c *converter) record(obj *fastjson.Object, lr plog.LogRecord) {
	attrs := lr.Attributes()
	// Room for what the receiver writes beside the event, too: the map grows while views into it are in use.
	attrs.EnsureCapacity(16)
	typed := obj.Get("type") != nil
	var envelope []member
	obj.Visit(func(rawKey []byte, v *fastjson.Value) {
		key, known := knownNames[string(rawKey)]
		if !known {
			key = string(rawKey)
		}
		switch {
		case key == "data":
			c.data(v, attrs)
		case key == "type", key == "event_type" && !typed:
			attrs.PutStr(semconv.EventTypeKey, c.text(v.GetStringBytes()))
		case key == "seq" && isInt(v):
			attrs.PutInt(semconv.EventSeqKey, v.GetInt64())
		case textMembers[key] != "" && v.Type() == fastjson.TypeString:
			attrs.PutStr(textMembers[key], c.text(v.GetStringBytes()))
		default:
			envelope = append(envelope, member{c.text(rawKey), v})
		}
	})
	if len(envelope) > 0 {
		c.members(envelope, attrs.PutEmptyMap(semconv.EventEnvelopeKey))
	}
	e := open(lr)
	lr.SetEventName(string(e.Name))
	lr.SetTimestamp(e.toldTime())
}

func isInt(v *fastjson.Value) bool {
	_, err := v.Int64()
	return err == nil && v.Type() == fastjson.TypeNumber
}

// data keeps what is no object under the key "value": the record's data is always a map.
func (c *converter) data(v *fastjson.Value, attrs pcommon.Map) {
	switch v.Type() {
	case fastjson.TypeNull:
	case fastjson.TypeObject:
		c.object(v.GetObject(), attrs.PutEmptyMap(semconv.EventDataKey), 1)
	default:
		c.repairs++
		c.value(v, attrs.PutEmptyMap(semconv.EventDataKey).PutEmpty("value"), 1)
	}
}
