// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const pythonDirect = `Traceback (most recent call last):
  File "/app/net.py", line 3, in call
    raise ConnectionRefusedError(111, "Connection refused")
ConnectionRefusedError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/llm.py", line 9, in run
    raise LLMError("no answer") from e
app.LLMError: no answer
`

const pythonDuring = `Traceback (most recent call last):
  File "a.py", line 1, in <module>
TimeoutError

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 5, in <module>
app.errors.Cleanup: first line
second line
`

const pythonGroup = `  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 1, in <module>
  |     raise eg
  | ExceptionGroup: two things (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 2, in f
    | app.Odd: strange
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 3, in g
    | ConnectionResetError: [Errno 104] Connection reset by peer
    +------------------------------------
`

const java = `java.lang.RuntimeException: stage llm broke
	at app.Stage.run(Stage.java:10)
	Suppressed: java.lang.OutOfMemoryError: Java heap space
		at app.Stage.close(Stage.java:20)
	Caused by: java.net.SocketTimeoutException: never a cause of the failure
		... 3 more
Caused by: app.LlmException: call failed
	at app.Llm.call(Llm.java:5)
	... 1 more
Caused by: java.net.UnknownHostException: api.example
	at java.base/java.net.Net.lookup(Net.java:1)
	... 2 more
`

const node = `Error: stage failed
    at run (/app/stage.js:1:2)
    at async main (/app/main.js:3:4) {
  [cause]: TypeError: odd
      at call (/app/call.js:1:2) {
    [cause]: Error: connect ECONNREFUSED 127.0.0.1:443
        at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1:2) {
      errno: -111,
      syscall: 'connect'
    }
  }
}`

const dotnet = `System.InvalidOperationException: stage failed
 ---> System.Net.Http.HttpRequestException: odd
 ---> System.Net.Sockets.SocketException (111): Connection refused
   at System.Net.Sockets.Socket.Connect() in /src/Socket.cs:line 5
   --- End of inner exception stack trace ---
   at System.Net.Http.HttpClient.Send()
   --- End of inner exception stack trace ---
   at App.Run() in C:\src\App.cs:line 10`

const rust = `could not answer

Caused by:
    0: the call failed
    1: invalid peer certificate: UnknownIssuer
`

func TestChains(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		// want is the links, the innermost first.
		want []string
		code string
	}{
		"Python, direct":  {pythonDirect, []string{"ConnectionRefusedError|[Errno 111] Connection refused", "app.LLMError|no answer"}, CodeNetworkError},
		"Python, during":  {pythonDuring, []string{"TimeoutError|", "app.errors.Cleanup|first line\nsecond line"}, CodeTimeout},
		"Python, \\r\\n":  {strings.ReplaceAll(pythonDirect, "\n", "\r\n"), []string{"ConnectionRefusedError|[Errno 111] Connection refused", "app.LLMError|no answer"}, CodeNetworkError},
		"Python, group":   {pythonGroup, []string{"app.Odd|strange", "ConnectionResetError|[Errno 104] Connection reset by peer", "ExceptionGroup|two things (2 sub-exceptions)"}, CodeNetworkError},
		"Python, said so": {"Task failed\n" + pythonDuring, []string{"TimeoutError|", "app.errors.Cleanup|first line\nsecond line", "|Task failed"}, CodeTimeout},
		"Java":            {java, []string{"java.net.UnknownHostException|api.example", "app.LlmException|call failed", "java.lang.RuntimeException|stage llm broke"}, CodeNetworkError},
		"Java, one line":  {"app.A: x; nested exception is java.net.ConnectException: Connection refused", []string{"java.net.ConnectException|Connection refused", "app.A|x;"}, CodeNetworkError},
		"Node":            {node, []string{"|errno: -111,\n      syscall: 'connect'\n    }\n  }\n}", "|connect ECONNREFUSED 127.0.0.1:443", "TypeError|odd", "|stage failed"}, CodeNetworkError},
		".NET":            {dotnet, []string{"System.Net.Sockets.SocketException|Connection refused", "System.Net.Http.HttpRequestException|odd", "System.InvalidOperationException|stage failed"}, CodeNetworkError},
		"Rust":            {rust, []string{"|invalid peer certificate: UnknownIssuer", "|the call failed", "|could not answer"}, CodeTLSError},
		"none":            {"boom", []string{"|boom"}, CodeUnknown},
		"nothing":         {"", nil, CodeUnknown},
		"no cause said":   {"Caused by: ", nil, CodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			c := splitChain(tt.text)
			var got []string
			for i := range c.n {
				l := c.inner(i)
				if l.typ == "Error" {
					l.typ = ""
				}
				got = append(got, l.typ+"|"+strings.ReplaceAll(l.text, "\r", ""))
			}
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.code, Classify(Input{Message: tt.text}).Code)
			in := Input{Type: "app.Odd", Message: "stage failed", Stack: tt.text}
			assert.Equal(t, tt.code, Classify(in).Code, "as a stack")
			assert.Equal(t, "stage failed", Classify(in).Message)
		})
	}
}

// The innermost cause that a rule knows decides, not the innermost.
func TestTheInnermostRecognisedCauseDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		in   Input
		code string
	}{
		"the inner one is unknown": {Input{Message: "a.B: no space left on device\nCaused by: a.C: odd"}, CodeExhausted},
		"Go, right":                {Input{Type: "*fmt.wrapError", Message: "not found: connection refused"}, CodeNetworkError},
		"Go, right is unknown":     {Input{Type: "*fmt.wrapError", Message: "connection refused: odd"}, CodeNetworkError},
		"Go, the status first":     {Input{Type: "*fmt.wrapError", Message: "overloaded: connection refused", HTTPStatus: 503}, CodeOverloaded},
		"outer status, inner text": {Input{Message: "a.B: x\nCaused by: java.net.ConnectException: Connection refused", HTTPStatus: 500}, CodeNetworkError},
		"a provider's code outranks a cause's status": {
			Input{Message: "a.B: insufficient_quota\nCaused by: HTTP 429"}, CodeQuotaExceeded,
		},
		"wrapped type":   {Input{Type: "app.StageError", Message: "Stage 'llm' failed: TimeoutError: slow"}, CodeTimeout},
		"future":         {Input{Type: "java.util.concurrent.ExecutionException", Message: "java.net.SocketException: odd"}, CodeNetworkError},
		"a code is kept": {Input{Code: "MINE", Stack: java}, "MINE"},
		"Python's rules see the whole": {
			Input{Message: "a.B: the circuit breaker tripped\nCaused by: java.net.ConnectException: Connection refused"}, CodeCircuitOpen,
		},
		"frames are not read": {
			Input{Message: pythonHeader + "\n  File \"a.py\", line 1, in f\n    raise RateLimitError(\"rate limit\")\nKeyError: 'x'"}, CodeApplication,
		},
		"stack and nothing else": {Input{Stack: "ValueError: odd"}, CodeApplication},
	} {
		assert.Equal(t, tt.code, Classify(tt.in).Code, name)
	}
}

func TestTheOutermostMessageIsKept(t *testing.T) {
	assert.Equal(t, "app.LLMError: no answer", Classify(Input{Message: pythonDirect}).Message)
	assert.Equal(t, "app.Odd: "+strings.Repeat("x", 491), Classify(Input{
		Message: pythonDirect + "\nDuring handling of the above exception, another exception occurred:\n\n" +
			pythonHeader + "\n  File\napp.Odd: " + strings.Repeat("x", 600),
	}).Message)
	assert.True(t, strings.HasPrefix(Classify(Input{Message: java}).Message, "java.lang.RuntimeException: stage llm broke\n"))
}

func TestLongChainsKeepBothEnds(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "Caused by: a.E: %d\n", i)
	}
	c := splitChain("a.B: outermost\n" + b.String())
	assert.Equal(t, maxLinks, c.n)
	assert.Equal(t, "99", c.inner(0).text)
	assert.Equal(t, "outermost", c.inner(c.n-1).text)
}

func TestEveryJointHasACore(t *testing.T) {
	for _, joint := range joints {
		assert.True(t, hasJoint(joint), joint)
	}
	assert.False(t, hasJoint("a: b"))
}
