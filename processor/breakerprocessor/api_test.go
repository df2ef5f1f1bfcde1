// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/stageflow/otelcol-stageflow/processor/breakerprocessor/internal/metadata"
	"github.com/stageflow/otelcol-stageflow/sdk/breaker"
)

var (
	chatOpenAI = breaker.Key{Operation: "chat", Provider: "openai"}
	noon       = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// apiUnderTest is an API whose clock stands still unless told, with a breaker that can be opened.
type apiUnderTest struct {
	*api
	at time.Time
}

func newTestAPI(t *testing.T, auth bool) *apiUnderTest {
	t.Helper()
	cfg := confighttp.NewDefaultServerConfig()
	cfg.NetAddr.Endpoint = "localhost:0"
	if auth {
		cfg.Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: component.MustNewID("basicauth")}})
	}
	under := &apiUnderTest{at: noon}
	c := newTestCore(t, defaults())
	c.now = func() time.Time { return under.at }
	under.api = newAPI(&cfg, componenttest.NewNopTelemetrySettings(), c)
	return under
}

func (a *apiUnderTest) fail(n int) {
	for range n {
		a.at = a.at.Add(time.Millisecond)
		a.breakers.Record(chatOpenAI, breaker.Outcome{Start: a.at, End: a.at}, a.at)
	}
	a.changes.tell()
}

// described checks every request and answer against openapi.yaml.
type described struct {
	http.Handler
	t      *testing.T
	routes routers.Router
	seen   map[string]bool
}

func describe(t *testing.T, h http.Handler) *described {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	routes, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return &described{h, t, routes, map[string]bool{}}
}

func (d *described) do(method, target, body string, header ...string) *http.Response {
	d.t.Helper()
	r := httptest.NewRequest(method, target, bytes.NewBufferString(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	route, params, err := d.routes.FindRoute(r)
	require.NoError(d.t, err, "%s %s", method, target)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	d.seen[route.Operation.OperationID] = true
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(w.Body.Bytes())
	if w.Header().Get("Content-Type") != "application/yaml" { // a text to it
		require.NoError(d.t, openapi3filter.ValidateResponse(context.Background(), in), "%s %s: %d %s", method, target, w.Code, w.Body)
	}
	return w.Result()
}

func read[T any](t *testing.T, resp *http.Response) (v T) {
	t.Helper()
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&v))
	return v
}

func TestAPIIsWhatItsDescriptionSays(t *testing.T) {
	a := newTestAPI(t, true)
	d := describe(t, a.handler())
	empty := read[breaker.APIStates](t, d.do(http.MethodGet, "/v1/breakers", ""))
	assert.Equal(t, breaker.APIStates{Breakers: []breaker.APIState{}}, empty)

	a.fail(5)
	all := read[breaker.APIStates](t, d.do(http.MethodGet, "/v1/breakers", ""))
	require.Len(t, all.Breakers, 1)
	one := read[breaker.APIState](t, d.do(http.MethodGet, "/v1/breakers/chat/openai", ""))
	assert.Equal(t, all.Breakers[0], one)
	assert.Equal(t, "chat/openai", one.Key)
	assert.EqualValues(t, "open", one.State)
	assert.EqualValues(t, 5, one.Calls)
	assert.InDelta(t, 1, one.FailureRatio, 0)
	assert.Positive(t, one.RetryAfterMS)
	assert.Equal(t, uint64(1), one.Generation)
	assert.Equal(t, uint64(1), all.Generation)
	assert.Equal(t, noon.Add(5*time.Millisecond), *one.OpenedAt)

	unknown := read[breaker.APIState](t, d.do(http.MethodGet, "/v1/breakers/chat/eleven%2Flabs", ""))
	assert.EqualValues(t, "closed", unknown.State)
	assert.Equal(t, "eleven/labs", unknown.Provider)

	forced := read[breaker.APIState](t, d.do(http.MethodPut, "/v1/breakers/chat/openai", `{"mode":"forced_closed"}`))
	assert.EqualValues(t, "forced_closed", forced.State)
	back := read[breaker.APIState](t, d.do(http.MethodPut, "/v1/breakers/chat/openai", `{"mode":"auto"}`))
	assert.EqualValues(t, "open", back.State, "what its calls came to")
	for _, body := range []string{`{"mode":"open"}`, `{}`, `{"mode":"auto","x":1}`, `[]`, `{`} {
		assert.Equal(t, http.StatusBadRequest, d.do(http.MethodPut, "/v1/breakers/chat/openai", body).StatusCode, body)
	}
	assert.Equal(t, http.StatusBadRequest, d.do(http.MethodGet, "/v1/breakers?wait=soon", "").StatusCode)
	assert.Equal(t, http.StatusBadRequest, d.do(http.MethodGet, "/v1/breakers?wait=-1s", "").StatusCode)

	text, err := io.ReadAll(d.do(http.MethodGet, "/v1/openapi.yaml", "").Body)
	require.NoError(t, err)
	assert.Equal(t, openAPI, text)
	assert.Len(t, d.seen, 4, "every operation was tried")
}

func TestAPIForcesOnlyWithAuthentication(t *testing.T) {
	a := newTestAPI(t, false)
	resp := describe(t, a.handler()).do(http.MethodPut, "/v1/breakers/chat/openai", `{"mode":"forced_open"}`)
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
	assert.Contains(t, read[map[string]string](t, resp)["error"], "api::auth")
	assert.Empty(t, a.breakers.List(a.at))
}

func TestAPIAnswersWhatTheClientHasNot(t *testing.T) {
	a := newTestAPI(t, false)
	d := describe(t, a.handler())
	a.fail(1)
	etag := d.do(http.MethodGet, "/v1/breakers", "").Header.Get("ETag")
	for _, has := range []string{etag, `"x", ` + etag, "W/" + etag, "*"} {
		resp := d.do(http.MethodGet, "/v1/breakers", "", "If-None-Match", has)
		assert.Equal(t, http.StatusNotModified, resp.StatusCode, has)
		assert.Equal(t, etag, resp.Header.Get("ETag"))
	}
	a.fail(1)
	assert.Equal(t, http.StatusNotModified, d.do(http.MethodGet, "/v1/breakers", "", "If-None-Match", etag).StatusCode, "counts are no news")
	a.fail(3)
	assert.Equal(t, http.StatusOK, d.do(http.MethodGet, "/v1/breakers", "", "If-None-Match", etag).StatusCode)
}

func TestAPILongPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTestAPI(t, false)
		start := time.Now()
		a.now = func() time.Time { return noon.Add(time.Since(start)) }
		d := describe(t, a.handler())
		poll := func(etag string) chan *http.Response {
			out := make(chan *http.Response, 1)
			go func() { out <- d.do(http.MethodGet, "/v1/breakers?wait=30s", "", "If-None-Match", etag) }()
			synctest.Wait()
			return out
		}
		etag := d.do(http.MethodGet, "/v1/breakers?wait=30s", "").Header.Get("ETag")

		began := time.Now()
		resp := <-poll(etag)
		assert.Equal(t, http.StatusNotModified, resp.StatusCode)
		assert.Equal(t, 30*time.Second, time.Since(began), "nothing happened")

		waiting := poll(etag)
		time.Sleep(time.Second)
		a.at = a.now().Add(-10 * time.Millisecond)
		a.fail(5)
		began = time.Now()
		resp = <-waiting
		assert.Zero(t, time.Since(began), "told at once")
		open := read[breaker.APIStates](t, resp).Breakers[0]
		assert.EqualValues(t, "open", open.State)

		began = time.Now()
		resp = <-poll(resp.Header.Get("ETag"))
		if resp.StatusCode == http.StatusNotModified { // it may be open for longer than one wait
			resp = <-poll(resp.Header.Get("ETag"))
		}
		assert.EqualValues(t, "half_open", read[breaker.APIStates](t, resp).Breakers[0].State)
		assert.InDelta(t, open.RetryAfterMS, time.Since(began).Milliseconds(), 2, "when its time is over")

		waiting = poll(resp.Header.Get("ETag"))
		close(a.closing)
		assert.Equal(t, http.StatusNotModified, (<-waiting).StatusCode, "does not hold up the shutdown")
	})
}

// Through the component: a real listener, that answers while the core runs and no longer.
func TestAPIIsServedByTheCore(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	cfg := createDefaultConfig().(*Config)
	cfg.API.GetOrInsertDefault().NetAddr.Endpoint = address
	c, err := newCore(cfg, component.NewID(metadata.Type), componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + breaker.APIPath)
	require.NoError(t, err)
	assert.Equal(t, breaker.APIStates{Breakers: []breaker.APIState{}}, read[breaker.APIStates](t, resp))

	require.NoError(t, c.Shutdown(t.Context()))
	_, err = client.Get("http://" + address + breaker.APIPath)
	require.Error(t, err)
}
