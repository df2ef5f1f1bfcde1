// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflowreceiver // import "github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver"

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"strconv"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/event"
	"github.com/stageflow/otelcol-stageflow/receiver/stageflowreceiver/internal/metadata"
)

// EventsPath is where events are posted.
const EventsPath = "/v1/events"

// The headers by which a sender that does not number its events names its requests: a request that is sent again with
// the same two is known again, line by line.
const (
	SinkIDHeader   = "X-Stageflow-Sink-Id"
	BatchSeqHeader = "X-Stageflow-Batch-Seq"
)

// maxPooledBody bounds the memory that a large request leaves behind.
const maxPooledBody = 1 << 20

// maxHeader bounds those headers, for they are written into every event of the request.
const maxHeader = 256

// maxRejected bounds the bad lines that an answer lists one by one; the rest are only counted.
const maxRejected = 1000

// eventsServer takes events as JSON over HTTP.
type eventsServer struct {
	cfg       *confighttp.ServerConfig
	intake    *intake
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	set       receiver.Settings
	decoders  *sync.Pool
	// bodies are buffers for requests: nothing that is decoded points into them.
	bodies sync.Pool

	server *http.Server
	done   sync.WaitGroup
}

func newEventsServer(cfg *confighttp.ServerConfig, in *intake, obs *receiverhelper.ObsReport, telemetry *metadata.TelemetryBuilder, set receiver.Settings) *eventsServer {
	return &eventsServer{
		cfg: cfg, intake: in, obs: obs, telemetry: telemetry, set: set,
		decoders: newDecoders(),
		bodies:   sync.Pool{New: func() any { return &bytes.Buffer{} }},
	}
}

// newDecoders holds what reads events; each has memory that it uses again.
func newDecoders() *sync.Pool { return &sync.Pool{New: func() any { return &event.Decoder{} }} }

func (s *eventsServer) start(ctx context.Context, host component.Host) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+EventsPath, s.post)
	server, err := s.cfg.ToServer(ctx, host.GetExtensions(), s.set.TelemetrySettings, mux)
	if err != nil {
		return err
	}
	listener, err := s.cfg.ToListener(ctx)
	if err != nil {
		return err
	}
	s.server = server
	s.done.Go(func() { s.serve(listener, host) })
	return nil
}

func (s *eventsServer) serve(listener net.Listener, host component.Host) {
	if err := s.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
	}
}

func (s *eventsServer) shutdown(ctx context.Context) error {
	if s.server == nil {
		return nil
	}
	err := s.server.Shutdown(ctx)
	s.done.Wait()
	return err
}

// answer is the body of every response to a request that could be read.
type answer struct {
	// Accepted events were passed on, or had been before.
	Accepted int `json:"accepted"`
	// Rejected lines are no events; sending them again changes nothing. At most 1000 are listed.
	Rejected []rejectedLine `json:"rejected"`
	// Error says why nothing was accepted.
	Error string `json:"error,omitempty"`
}

type rejectedLine struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func (s *eventsServer) post(w http.ResponseWriter, req *http.Request) {
	buffer := s.bodies.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= maxPooledBody {
			s.bodies.Put(buffer)
		}
	}()
	buffer.Reset()
	_, err := buffer.ReadFrom(req.Body)
	body := buffer.Bytes()
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			respond(w, http.StatusRequestEntityTooLarge, answer{Error: "the body is larger than " +
				strconv.FormatInt(tooLarge.Limit, 10) + " bytes (events::max_request_body_size): send fewer events at once"})
			return
		}
		respond(w, http.StatusBadRequest, answer{Error: "the body cannot be read: " + err.Error()})
		return
	}
	mediaType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	from := event.Request{SinkID: req.Header.Get(SinkIDHeader), BatchSeq: req.Header.Get(BatchSeqHeader)}
	if max(len(from.SinkID), len(from.BatchSeq)) > maxHeader {
		respond(w, http.StatusBadRequest, answer{Error: SinkIDHeader + " or " + BatchSeqHeader + " is longer than " + strconv.Itoa(maxHeader) + " bytes"})
		return
	}
	leave, err := s.intake.gate.enter(req.Context())
	if err != nil {
		refuseRequest(w, err)
		return
	}
	defer leave()
	decoder := s.decoders.Get().(*event.Decoder)
	defer s.release(decoder)
	decoder.From = from
	rejected := s.decode(req.Context(), decoder, body, mediaType == "application/x-ndjson")
	accepted := len(decoder.Events)

	result := answer{Accepted: accepted, Rejected: make([]rejectedLine, 0, min(len(rejected), maxRejected))}
	for _, r := range rejected[:min(len(rejected), maxRejected)] {
		result.Rejected = append(result.Rejected, rejectedLine{r.Line, r.Err.Error()})
	}
	if accepted == 0 {
		code := http.StatusOK
		if len(rejected) > 0 {
			code, result.Error = http.StatusBadRequest, "no line is an event"
		}
		respond(w, code, result)
		return
	}

	ctx := s.obs.StartLogsOp(req.Context())
	err = s.intake.takeDecoded(ctx, decoder.Events)
	s.obs.EndLogsOp(ctx, "json", accepted, err)
	if err != nil {
		refuseRequest(w, err)
		return
	}
	respond(w, http.StatusOK, result)
}

// refuseRequest tells why nothing of a request was taken, and when to send it again.
func refuseRequest(w http.ResponseWriter, err error) {
	code, wait := httpAnswer(err)
	if wait != "" {
		w.Header().Set("Retry-After", wait)
	}
	respond(w, code, answer{Error: err.Error()})
}

// decode reads the body, and counts what had to be repaired or was no event.
func (s *eventsServer) decode(ctx context.Context, decoder *event.Decoder, body []byte, lines bool) []event.Rejection {
	rejected, repairs := decoder.Decode(body, lines)
	if repairs > 0 {
		s.telemetry.ReceiverStageflowRepairedValues.Add(ctx, int64(repairs))
	}
	if len(rejected) > 0 {
		s.telemetry.ReceiverStageflowRejectedEvents.Add(ctx, int64(len(rejected)))
	}
	return rejected
}

// release lets the decoder be used again.
func (s *eventsServer) release(decoder *event.Decoder) {
	decoder.Reset()
	s.decoders.Put(decoder)
}

func respond(w http.ResponseWriter, code int, body answer) {
	if body.Rejected == nil {
		body.Rejected = []rejectedLine{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nothing is left to tell it
}
