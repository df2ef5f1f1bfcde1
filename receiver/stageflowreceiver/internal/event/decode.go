// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/valyala/fastjson"
	"go.opentelemetry.io/collector/pdata/pcommon"

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

// Decoder reads events: request bodies, lines of files, log records. It uses its memory again for the next batch, and is
// not for concurrent use.
type Decoder struct {
	// From identifies the request; its events that have no number of their own are numbered by it.
	From Request
	// Events are those that were decoded. They are good until Reset.
	Events []Event

	parser fastjson.Parser
	conv   converter
	fields Arena[Field]
	// large is set when the parser has grown beyond what may stay.
	large bool
}

// maxParsed bounds the body that a parser keeps room for.
const maxParsed = 1 << 20

// maxEvents bounds what a large batch leaves behind.
const maxEvents = 2048

// Reset forgets what was read. What was taken from it by [Value.Kept] stays, and so does every text.
func (d *Decoder) Reset() {
	if d.large {
		*d = Decoder{}
		return
	}
	clear(d.Events)
	if d.Events = d.Events[:0]; cap(d.Events) > maxEvents {
		d.Events = nil
	}
	d.From, d.conv.texts = Request{}, Texts{}
	d.fields.Reset()
}

// batchPiece bounds what one text keeps alive beside itself in a log record, which leaves with the others of its batch.
const batchPiece = 8 << 10

// Decode reads a body (one object, an array of objects, or JSON lines) and appends its events to [Decoder.Events].
// lines says that the body is JSON lines whatever it looks like (application/x-ndjson). A bad line is reported
// and takes no good one with it. repairs counts the values that had to be changed.
func (d *Decoder) Decode(body []byte, lines bool) (rejected []Rejection, repairs int) {
	d.conv.repairs = 0
	d.large = d.large || len(body) > maxParsed
	d.conv.texts.size = min(max(len(body), pieceSize), batchPiece)
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if whole := bytes.TrimSpace(body); !lines && len(whole) > 0 {
		if v, err := d.parse(whole); err == nil {
			if v.Type() != fastjson.TypeArray {
				return d.one(nil, v, 1, len(whole)), d.conv.repairs
			}
			for i, item := range v.GetArray() {
				rejected = d.one(rejected, item, i+1, d.conv.size(item))
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
		rejected = d.one(rejected, v, n, len(line))
	}
	return rejected, d.conv.repairs
}

func (d *Decoder) one(rejected []Rejection, v *fastjson.Value, line, size int) []Rejection {
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
	d.Events = append(d.Events, Event{})
	e := &d.Events[len(d.Events)-1]
	d.event(e, obj)
	d.number(e, line)
	return rejected
}

// number identifies an event by its request and its place in it, if it does not identify itself.
func (d *Decoder) number(e *Event, line int) {
	if d.From.SinkID == "" || d.From.BatchSeq == "" || !e.beside[besideSeq].IsNull() {
		return
	}
	if e.beside[besideSink].IsNull() {
		e.beside[besideSink] = TextValue(d.conv.cleanText(d.From.SinkID)) // a header may hold any bytes
	}
	e.beside[besideBatch] = TextValue(d.conv.cleanText(d.From.BatchSeq) + "/" + strconv.Itoa(line))
}

// parse tries the bytes as they are and, because most are fine, repairs only what does not parse, or parses to
// something else than was meant.
func (d *Decoder) parse(b []byte) (*fastjson.Value, error) {
	if bytes.IndexByte(b, '\\') >= 0 && (bytes.Contains(b, []byte(`\ud`)) || bytes.Contains(b, []byte(`\uD`))) {
		b = d.repair(b)
	}
	d.conv.sound = sound(b)
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

// sound tells whether all texts in a piece of JSON can be kept as they are: whether it is valid UTF-8, without NUL.
func sound(b []byte) bool {
	return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) && (bytes.IndexByte(b, '\\') < 0 || !bytes.Contains(b, []byte(`\u0000`)))
}

func (d *Decoder) repair(b []byte) []byte {
	fixed, n := repair(b)
	d.conv.repairs += n
	return fixed
}

// textMembers are what may stand beside type and data and has an attribute of its own, if it is a text.
var textMembers = map[string]int{"sink_id": besideSink, "sink_batch": besideBatch, "traceparent": besideTraceParent}

// event reads one parsed event.
func (d *Decoder) event(e *Event, obj *fastjson.Object) {
	c := &d.conv
	typed := obj.Get("type") != nil
	obj.Visit(func(rawKey []byte, v *fastjson.Value) {
		switch key := c.key(rawKey); {
		case key == "data":
			d.data(e, v)
		case key == "type", key == "event_type" && !typed:
			e.Type = c.text(v.GetStringBytes())
		default:
			d.member(e, obj, key, c.value(v, 1))
		}
	})
	e.understand(semconv.TraceID{})
	e.Time = e.toldTime()
}

// member puts what stands beside type and data in its place.
func (d *Decoder) member(e *Event, obj *fastjson.Object, key string, v Value) {
	if key == "seq" && v.Type() == pcommon.ValueTypeInt {
		e.beside[besideSeq] = v
		return
	}
	if i, ok := textMembers[key]; ok && v.Type() == pcommon.ValueTypeStr {
		e.beside[i] = v
		return
	}
	if e.envelope.list == nil {
		e.envelope.list = d.fields.Make(obj.Len())
	}
	e.envelope.put(key, v)
}

// data keeps what is no object under the key "value": the event's data is always a map.
func (d *Decoder) data(e *Event, v *fastjson.Value) {
	switch v.Type() {
	case fastjson.TypeNull:
		return
	case fastjson.TypeObject:
		obj := v.GetObject()
		e.data = d.conv.fields(obj, d.fields.Make(obj.Len()), 1)
	default:
		d.conv.repairs++
		e.data = Fields{list: d.fields.Make(1)}
		e.data.put("value", d.conv.value(v, 1))
	}
	e.hasData = true
}
