// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var redactAll = Redaction{Secrets: true, Emails: true}

// Invented secrets are put together here, so that no scanner takes this file for a leak.
var (
	hex32   = strings.Repeat("0a1b2c3d", 4)
	hex40   = strings.Repeat("0a1b2c3d4e", 4)
	b62     = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3" // 39
	openAI  = "sk-" + "proj-" + b62 + "_" + "T3Blbk" + "FJ" + "-" + b62
	oldAI   = "sk-" + b62 + "Zz4Zz5Zz6"
	claude  = "sk-" + "ant-api03-" + b62 + "-" + b62 + "AA"
	awsID   = "AKIA" + "ABCDEFGH23456789"[:16]
	jwt     = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0" + "." + b62
	pemBody = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"
)

func pem(body string) string {
	return "-----BEGIN " + "RSA PRIVATE KEY-----" + body + "-----END " + "RSA PRIVATE KEY-----"
}

// What clients and servers say when a request failed, with what they should not have said.
var leaks = []struct {
	name, text, want string
	n                int
}{
	{"openai", "Error code: 401 - {'error': {'message': 'Incorrect API key provided: " + openAI + ". You can find your API key at https://platform.openai.com/account/api-keys.', 'type': 'invalid_request_error', 'code': 'invalid_api_key'}}", "Error code: 401 - {'error': {'message': 'Incorrect API key provided: ***. You can find your API key at https://platform.openai.com/account/api-keys.', 'type': 'invalid_request_error', 'code': 'invalid_api_key'}}", 1},
	{"openai, starred", "Incorrect API key provided: sk-" + "ab1cd***********wxyz. You can", "Incorrect API key provided: ***. You can", 1},
	{"openai, in a sentence", "the key " + oldAI + " is gone", "the key sk-*** is gone", 1},
	{"openai, cut off", "invalid key sk-" + "proj-" + "Ab1Cd2Ef3G", "invalid key sk-proj-***", 1},
	{"deepseek, starred", "Authentication Fails, Your api key: ****ab12 is invalid", "Authentication Fails, Your api key: *** is invalid", 1},
	{"anthropic", "anthropic.AuthenticationError: invalid x-api-key: " + claude, "anthropic.AuthenticationError: invalid x-api-key: ***", 1},
	{"anthropic, headers", "headers={'x-api-key': '" + claude + "', 'anthropic-version': '2023-06-01'}", "headers={'x-api-key': '***', 'anthropic-version': '2023-06-01'}", 1},
	{"openrouter", "bad sk-" + "or-v1-" + hex32 + hex32 + "!", "bad sk-or-***!", 1},
	{"groq", "gsk" + "_" + b62 + " rejected", "gsk_*** rejected", 1},
	{"urllib3", "HTTPSConnectionPool(host='generativelanguage.googleapis.com', port=443): Max retries exceeded with url: /v1beta/models/gemini-2.0-flash:generateContent?key=" + "AIza" + "SyAb1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1" + "&alt=sse (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection'))", "HTTPSConnectionPool(host='generativelanguage.googleapis.com', port=443): Max retries exceeded with url: /v1beta/models/gemini-2.0-flash:generateContent?key=***&alt=sse (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection'))", 1},
	{"google, alone", "API key not valid: AIza" + "SyAb1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1.", "API key not valid: AIza***.", 1},
	{"psycopg", `psycopg.OperationalError: connection to "postgresql://app:s3cr3t%40x@db:5432/runs?sslmode=require" failed: password authentication failed for user "app"`, `psycopg.OperationalError: connection to "postgresql://app:***@db:5432/runs?sslmode=require" failed: password authentication failed for user "app"`, 1},
	{"psycopg, keywords", `could not connect: host=db port=5432 user=app password=hunter2 dbname=runs`, `could not connect: host=db port=5432 user=app password=*** dbname=runs`, 1},
	{"psycopg, quoted keywords", `invalid dsn: user=app password='it\'s 1' dbname=runs`, `invalid dsn: user=app password='***' dbname=runs`, 1},
	{"odbc", "[HYT00] Driver={ODBC Driver 18};Server=db;UID=sa;PWD=Secr!et;Encrypt=yes", "[HYT00] Driver={ODBC Driver 18};Server=db;UID=sa;PWD=***;Encrypt=yes", 1},
	{"mysql, go", "dial app:pa:ss@word@tcp(10.0.0.1:3306)/runs?parseTime=true: timeout", "dial app:***@tcp(10.0.0.1:3306)/runs?parseTime=true: timeout", 1},
	{"redis", "redis.exceptions.ConnectionError: Error 111 connecting to redis://:p4ss@cache:6379/0", "redis.exceptions.ConnectionError: Error 111 connecting to redis://:***@cache:6379/0", 1},
	{"url, slash in the password", "cannot parse redis://:pa/ss@cache:6379/0", "cannot parse redis://:***@cache:6379/0", 1},
	{"amqp", "amqp://guest:guest@mq//vhost refused", "amqp://guest:***@mq//vhost refused", 1},
	{"mongodb", "mongodb+srv://u:p@ss@c0.mongodb.net/?retryWrites=true timed out", "mongodb+srv://u:***@c0.mongodb.net/?retryWrites=true timed out", 1},
	{"git, token as user", "fatal: https://" + "ghp" + "_" + b62 + "@github.com/a/b.git not found", "fatal: https://***@github.com/a/b.git not found", 1},
	{"aiohttp", "ClientResponseError(RequestInfo(url=URL('https://api.deepgram.com/v1/listen'), method='POST', headers=<CIMultiDictProxy('Host': 'api.deepgram.com', 'Authorization': 'Token " + hex40 + "', 'Accept': '*/*')>), status=401, message='Unauthorized')", "ClientResponseError(RequestInfo(url=URL('https://api.deepgram.com/v1/listen'), method='POST', headers=<CIMultiDictProxy('Host': 'api.deepgram.com', 'Authorization': 'Token ***', 'Accept': '*/*')>), status=401, message='Unauthorized')", 1},
	{"requests", "401 Client Error: Unauthorized for url: https://api.x.io/v1?api_key=abc&user=1&access_token=def", "401 Client Error: Unauthorized for url: https://api.x.io/v1?api_key=***&user=1&access_token=***", 2},
	{"aws, signed url", "403 https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + awsID + "%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=" + hex32 + hex32 + "&X-Amz-Security-Token=IQoJb3JpZ2luX2Vj%2F1", "403 https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Security-Token=***", 3},
	{"botocore", "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the PutObject operation: The AWS Access Key Id " + awsID + " does not exist", "botocore.exceptions.ClientError: An error occurred (InvalidAccessKeyId) when calling the PutObject operation: The AWS Access Key Id AKIA*** does not exist", 1},
	{"aws, environment", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY AWS_REGION=eu", "AWS_SECRET_ACCESS_KEY=*** AWS_REGION=eu", 1},
	{"aws, header", "Authorization: AWS4-HMAC-SHA256 Credential=" + awsID + "/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=" + hex32 + "\nHost: x", "Authorization: AWS4-HMAC-SHA256 ***\nHost: x", 1},
	{"azure speech", "curl: Ocp-Apim-Subscription-Key: " + hex32 + " returned 401", "curl: Ocp-Apim-Subscription-Key: *** returned 401", 1},
	{"azure storage", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Ab1+/Cd2==;EndpointSuffix=core.windows.net", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=***;EndpointSuffix=core.windows.net", 1},
	{"azure sas", "SharedAccessSignature sr=hub&sig=Ab1%2FCd2%3D&se=1700000000&skn=root", "SharedAccessSignature sr=hub&sig=***&se=1700000000&skn=root", 1},
	{"elevenlabs", `{"xi-api-key": "` + hex32 + `", "detail": {"status": "quota_exceeded"}}`, `{"xi-api-key": "***", "detail": {"status": "quota_exceeded"}}`, 1},
	{"bearer", "got 401 with Bearer " + b62 + ", retrying", "got 401 with Bearer ***, retrying", 1},
	{"jwt", "token expired (" + jwt + ").", "token expired (eyJ***).", 1},
	{"basic", "sent basic dXNlcjpwYXNzd29yZA== to proxy", "sent basic *** to proxy", 1},
	{"digest", `Authorization: Digest username="bob", realm="x", response="` + hex32 + `"` + "\r\nHost: a", "Authorization: Digest ***\r\nHost: a", 1},
	{"header dump", "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + jwt + "\r\nX-Api-Key: " + hex32 + "\r\nCookie: sid=abc; theme=dark\r\nAccept: */*", "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ***\r\nX-Api-Key: ***\r\nCookie: sid=***; theme=***\r\nAccept: */*", 4},
	{"go header", "map[Authorization:[Bearer " + b62 + "] Cookie:[a=b; c=d] Host:[x]]", "map[Authorization:[Bearer ***] Cookie:[a=***; c=***] Host:[x]]", 3},
	{"set-cookie", "{'Set-Cookie': 'sid=abc; Path=/; Max-Age=3600; HttpOnly', 'Date': 'x'}", "{'Set-Cookie': 'sid=***; Path=/; Max-Age=3600; HttpOnly', 'Date': 'x'}", 1},
	{"curl", `curl -H 'Cookie: a=b; c="d"' -H "Authorization: Bearer ` + b62 + `" https://x`, `curl -H 'Cookie: a=***; c=***' -H "Authorization: Bearer ***" https://x`, 3},
	{"h11", "(b'x-api-key', b'" + hex32 + "'), (b'host', b'x')", "(b'x-api-key', b'***'), (b'host', b'x')", 1},
	{"json in json", `{"body":"{\"api_key\":\"a\\\"b\",\"model\":\"gpt-4o\"}"}`, `{"body":"{\"api_key\":\"***\",\"model\":\"gpt-4o\"}"}`, 1},
	{"python", "{'password': 'a b c', 'user': 'bob'}", "{'password': '***', 'user': 'bob'}", 1},
	{"pydantic", "password=SecretStr('hunter2') user='bob'", "password=SecretStr('***') user='bob'", 1},
	{"go struct", "{APIKey:abc Model:x Password:def}", "{APIKey:*** Model:x Password:***}", 2},
	{"ruby", `{:password=>"x1", "api_key" => "y"}`, `{:password=>"***", "api_key" => "***"}`, 2},
	{"json, cut off", `{"client_secret": "abc de`, `{"client_secret": "***`, 1},
	{"prose", "Wrong password: hunter2. Try again", "Wrong password: ***. Try again", 1},
	{"flags", "exit status 1: tts --api-key " + hex32 + " --password hunter --voice x", "exit status 1: tts --api-key *** --password *** --voice x", 2},
	{"flags, list", "Command '['tts', '--api-key', '" + hex32 + "', '-v']' returned 1", "Command '['tts', '--api-key', '***', '-v']' returned 1", 1},
	{"go's json", `url":"https://x/?a=1\u0026key=abc\u0026b=2"`, `url":"https://x/?a=1\u0026key=***\u0026b=2"`, 1},
	{"pem", "bad key " + pem("\n"+pemBody+"\n"+pemBody+"\n") + " given", "bad key " + pem("***") + " given", 1},
	{"pem, escaped", `{"key":"` + pem(`\n`+pemBody+`\n`) + `"}`, `{"key":"` + pem("***") + `"}`, 1},
	{"pem, cut off", "bad -----BEGIN " + "PRIVATE KEY-----\n" + pemBody, "bad -----BEGIN " + "PRIVATE KEY-----***", 1},
	{"telegram", "POST https://api.telegram.org/bot123456789:" + "AA" + b62[:33] + "/sendMessage: 403", "POST https://api.telegram.org/bot123456789:***/sendMessage: 403", 1},
	{"slack webhook", "https://hooks.slack.com/services/" + "T01ABCDEF/B01ABCDEF/" + b62[:24] + " gone", "https://hooks.slack.com/services/*** gone", 1},
	{"twilio", "https://api.twilio.com/2010-04-01/Accounts/" + "AC" + hex32 + "/Messages.json", "https://api.twilio.com/2010-04-01/Accounts/AC***/Messages.json", 1},
	{"escaped newline before", `"Incorrect key:\nsk-` + b62 + `\n"`, `"Incorrect key:\nsk-***\n"`, 1},
	{"escaped in a query", "redirect=x%3Fkey%3Dsk-" + b62, "redirect=x%3Fkey%3Dsk-***", 1},
	{"address", "user bob.o'neil+x@mail.example.co.uk: no such mailbox <eve@example.com>.", "user bob.o'***@***: no such mailbox <***@***>.", 2},
	{"address in a query", "/v1/users?email=bob%40example.com&x=1", "/v1/users?email=***%40***&x=1", 1},
	{"address, ellipsis", "bob@example.com...gone 0@..a", "***@***...gone 0@..a", 1},
	{"address abroad", "an müller@bücher.example geschickt", "an ***@*** geschickt", 1},
}

func TestRedactWhatErrorsSay(t *testing.T) {
	for _, c := range leaks {
		got, n := redactAll.Redact(c.text)
		assert.Equal(t, c.want, got, c.name)
		assert.Equal(t, c.n, n, c.name)
		again, n := redactAll.Redact(got)
		assert.Equal(t, got, again, c.name)
		assert.Zero(t, n, "%s: again", c.name)
	}
}

// Text that looks a little like a secret, or has none behind a name that tells of one.
var innocent = []string{
	"", "a", "a task-force, sk-learn, sk-learn-contrib and risk-based-authentication-for-all-of-us-2",
	"the key is missing", "token limit 4096", "max_tokens=100", "max_tokens: 4096", "'max_tokens': 4096,",
	`password authentication failed for user "bob"`, "Access denied for user 'root'@'localhost' (using password: YES)",
	"token: unexpected end of JSON", "Unexpected token: }", "invalid token: EOF", "token=<|endoftext|>",
	"password: must be at least 8 characters", "Invalid password: Unauthorized", "password: required", "password=None, api_key=null",
	"API key: not found", "Invalid API key: please check it", "api_key=${OPENAI_API_KEY}", "api_key=<nil>", `{"password": ["This field is required."]}`,
	"{'password': [ErrorDetail(string='This field may not be blank.', code='blank')]}",
	`{"token": "Hello", "logprob": -0.1}`, `{"token": " the", "bytes": [32]}`, "{'token': null}",
	"d41d8cd98f00b204e9800998ecf8427e", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"run 550e8400-e29b-41d4-a716-446655440000 failed", "commit 94624ea17c0d5077077a61e2f90a414748f36957",
	"gpt-4o-mini-2024-07-18, claude-sonnet-4-20250514, llama-3.1-8b-instant, pplx-70b-online, xai-sdk 1.2.3",
	"request req_011CSHoEeqs5C35K2UUqR7Fy, req_0123456789abcdef0123456789abcdef failed", "chatcmpl-AbCdEf0123456789AbCdEf0123456789",
	"/usr/lib/python3.12/site-packages/sk_learn/base.py:42: in hf_hub_download",
	"user@ is not enough", "@scope/pkg@1.2.3 and lodash@4.17.21 and react@18.2.0-beta.rc", "@Override public void run()", "@app.route(\"/x\")",
	"git@github.com:a/b.git", "ssh://git@github.com/a/b.git", "logo@2x.png", "Foo@1a2b3c", "root@localhost", "ops@10.0.0.1",
	"https://host:8080/path@v1?x=1", "http://[::1]:4318/v1/traces", "Post \"http://127.0.0.1:8080/\": EOF", "https://user@example.com/x",
	"std::token::kind", "Bearer authentication failed", "Bearer token is missing", `WWW-Authenticate: Bearer realm="api", error="invalid_token"`,
	"Basic authentication is disabled", "Authorization header is missing", "Authorization: required", "Cookie: missing", "Proxy-Authorization: not sent",
	"-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nMIIB", "----------", "--token-limit 4096 --password --x",
	"KeyError: 'api_key'", "key=value", "primary_key=42", "sort key: name", "monkey=banana1234", "bypass=true1234", "compass: north1234567",
	"12:30:45 stage tts:synth failed", "connection reset by peer 10.0.0.1:443->10.0.0.2:5432", "AKIA is a prefix", "eyJ is what base64 makes of {",
	"rate limit reached for gpt-4o in organization org-AbCdEf0123456789 on tokens per min (TPM): Limit 30000, Used 29000",
	"redis://cache:6379/0", "postgres://app@db/runs", "app:@tcp(db:3306)/runs", "https://user:***@host", `"password": "***"`, "Bearer ***", "sk-***",
	"api_key=xxxxxxxx", "password=[REDACTED]", "pass: 12 of 30", "--- PASS: TestFoo1234 (0.00s)", "Unable to load credentials: NoCredentialProviders",
	"Unexpected token: 'foo1bar2', expected", "Authorization: Bearer", "{'authorization': '[secure]'}", "the --password option is required", "credentials: not found in ~/.aws", "signature: mismatch",
}

func TestRedactLeavesInnocentText(t *testing.T) {
	for _, text := range innocent {
		got, n := redactAll.Redact(text)
		assert.Equal(t, text, got)
		assert.Zero(t, n, text)
	}
	// Whatever the column: none of the corpus has a secret.
	f, err := os.Open("testdata/error_samples.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, row := range rows {
		for _, text := range row {
			got, n := Redaction{Secrets: true}.Redact(text)
			assert.Equal(t, text, got)
			assert.Zero(t, n, text)
		}
	}
}

func TestRedactWhich(t *testing.T) {
	text := "bob@example.com sent Bearer " + b62
	for which, want := range map[Redaction]string{
		{}:                            text,
		{Secrets: true}:               "bob@example.com sent Bearer ***",
		{Emails: true}:                "***@*** sent Bearer " + b62,
		{Secrets: true, Emails: true}: "***@*** sent Bearer ***",
	} {
		got, _ := which.Redact(text)
		assert.Equal(t, want, got)
	}
}

// The secret begins before the cut and ends behind it.
func TestRedactCut(t *testing.T) {
	for _, c := range leaks {
		whole, _ := redactAll.Redact(c.text)
		for limit := 0; limit < utf8.RuneCountInString(c.text)+3; limit += 1 + limit/20 {
			got, _ := redactAll.RedactCut(c.text, limit)
			want := []rune(whole)
			require.Equal(t, string(want[:min(limit, len(want))]), got, "%s at %d", c.name, limit)
		}
	}
	got, n := redactAll.RedactCut("no secret in here", 2)
	assert.Equal(t, "no", got)
	assert.Zero(t, n)
	got, _ = redactAll.RedactCut("x", -1)
	assert.Empty(t, got)
	before := strings.Repeat("é", MaxMessage-4)
	got, n = redactAll.RedactCut(before+openAI+strings.Repeat(" and on", 1<<17), MaxMessage)
	assert.Equal(t, before+"sk-p", got)
	assert.Equal(t, 1, n)
}

func TestEveryKindHasAnExample(t *testing.T) {
	for _, k := range kinds {
		begins := false
		for _, o := range k.openers {
			assert.GreaterOrEqual(t, len(o), 2, k.name)
			assert.Less(t, o[0], byte(utf8.RuneSelf), k.name)
			begins = begins || strings.HasPrefix(k.example, o) || k.fold && strings.HasPrefix(strings.ToLower(k.example), o)
		}
		assert.True(t, begins, k.name)
		assert.NotEmpty(t, k.source, k.name)
	}
	for _, n := range secretNames {
		assert.Equal(t, strings.Trim(strings.ToLower(n.name), "-_ ."), n.name)
		assert.Less(t, len(n.name), maxName, n.name)
	}
}
