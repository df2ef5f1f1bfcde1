// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// alphabetOf are the bytes of a class of characters, but the dot: one at the end ends a sentence.
func alphabetOf(of charset) string {
	var b strings.Builder
	for c, class := range classes {
		if class&of&^dot != 0 {
			b.WriteByte(byte(c))
		}
	}
	return b.String()
}

// drawSecret is a secret of the kind that looks random: its bytes come from a seed, as rapid likes "AAAA" best.
func drawSecret(t *rapid.T, alphabet string, n int) string {
	seed := rapid.Uint64().Draw(t, "seed")
	b := make([]byte, n)
	for i := range b {
		seed += 0x9e3779b97f4a7c15
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		b[i] = alphabet[int((z^z>>31)%uint64(len(alphabet)))]
	}
	return string(b)
}

// aroundSecret draws a text with the secret somewhere in it, as a word of its own.
func aroundSecret(t *rapid.T, planted string) string {
	plain := rapid.SampledFrom(innocent)
	before, after := plain.Draw(t, "before"), plain.Draw(t, "after")
	if strings.Contains(before, "-----BEGIN") {
		before = ""
	}
	return before + rapid.SampledFrom([]string{" ", "\n", " (", " é "}).Draw(t, "joint") + planted +
		rapid.SampledFrom([]string{" ", "\n", ", ", ". ", ") "}).Draw(t, "joint") + after
}

func assertGone(t *rapid.T, text, secret string) {
	got, n := redactAll.Redact(text)
	assert.NotContains(t, got, secret, "%q", text)
	assert.GreaterOrEqual(t, n, 1, "%q", text)
	again, n := redactAll.Redact(got)
	assert.Equal(t, got, again, "%q", text)
	assert.Zero(t, n, "%q, then %q", text, got)
	limit := rapid.IntRange(0, len(text)).Draw(t, "limit")
	cut, _ := redactAll.RedactCut(text, limit)
	whole := []rune(got)
	assert.Equal(t, string(whole[:min(limit, len(whole))]), cut, "%q at %d", text, limit)
}

func TestRedactFindsEveryKindAnywhere(t *testing.T) {
	for _, k := range kinds {
		if k.check != nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			alphabet := alphabetOf(k.of)
			rapid.Check(t, func(t *rapid.T) {
				n := k.min
				if !k.exact {
					n += rapid.IntRange(0, 200).Draw(t, "more")
				}
				secret := drawSecret(t, alphabet, max(n-k.segment-4, 0)) + strings.Repeat("Z9", (k.segment+1)/2) + "a1b2"
				if k.exact || k.segment == 0 {
					secret = drawSecret(t, alphabet, n-1) + "7"
				}
				assertGone(t, aroundSecret(t, rapid.SampledFrom(k.openers).Draw(t, "opener")+secret), secret)
			})
		})
	}
}

func TestRedactFindsWhatANameTells(t *testing.T) {
	frames := map[telling][]string{
		tellsPassword: {"%=", `"%": "`, "'%': '", `\"%\":\"`, "?%=", "--% "},
		tellsAssigned: {"%=", "% = ", `"%": "`, "'%': '", "?%="},
		tellsKey:      {"%=", "% = ", `"%": "`, "'%': '", `\"%\":\"`, "?%=", "&%=", "%: ", "--% "},
		tellsToken:    {"%=", `"%": "`, "'%': '", "?%=", "&%=", "%: ", "('%', '"},
		tellsQuery:    {"?%=", "&%=", `\u0026%=`, "&amp;%="},
		tellsHeader:   {"%: Bearer ", "%: Token ", `"%": "Basic `, "'%': '", "%:[Bearer ", "-H '%: Bearer "},
		tellsCookies:  {"%: a=", "Set-%: a=", "'%': 'a=", "%: a=b; c="},
	}
	closing := map[string]string{`"`: `"`, "'": "'", `\"`: `\"`, "[": "]"}
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SampledFrom(secretNames).Draw(t, "name")
		name := rapid.SampledFrom([]string{row.name, strings.ToUpper(row.name), "x-" + row.name, "MY_" + row.name}).Draw(t, "spelling")
		if row.tells == tellsNothing {
			t.Skip("tells nothing")
		}
		if row.tells == tellsQuery || row.tells == tellsCookies {
			name = row.name
		}
		frame := strings.ReplaceAll(rapid.SampledFrom(frames[row.tells]).Draw(t, "frame"), "%", name)
		end := ""
		for open, c := range closing {
			if strings.HasSuffix(frame, open) && (end == "" || len(c) > len(end)) {
				end = c
			}
		}
		secret := drawSecret(t, alphabetOf(b64url|plus|slash), rapid.IntRange(8, 300).Draw(t, "length")) + "a1"
		assertGone(t, aroundSecret(t, frame+secret+end), secret)
	})
}

func TestRedactFindsPasswordsInURLs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := drawSecret(t, alphabetOf(b64url|plus|tilde)+"!$%^&:", rapid.IntRange(3, 80).Draw(t, "length"))
		url := rapid.SampledFrom([]string{"postgres://u:%@h/d", "redis://:%@h:1", "mysql://u:%@h", "https://u.v:%@h/p?q=1", "u:%@tcp(h:1)/d", "u:%@unix(/s)/d"}).Draw(t, "url")
		assertGone(t, aroundSecret(t, strings.Replace(url, "%", secret, 1)), ":"+secret+"@")
	})
}

func TestRedactFindsAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringMatching(`[a-z0-9][a-z0-9._+-]{3,30}[a-z0-9]`).Draw(t, "local")
		domain := rapid.StringMatching(`[a-z][a-z0-9-]{1,20}\.(com|example|co\.uk)`).Draw(t, "domain")
		assertGone(t, aroundSecret(t, local+"@"+domain), local+"@"+domain)
	})
}

// adversarial texts are nothing but beginnings of something, over and over.
func adversarial() []string {
	texts := []string{
		"a", "=", ":", "@", "%40", "-", "*", "'", `\`, `"`, " ", "\n", "a=", "a@", "@a", "password", "password=", "password:", "password: ", `"password": "`,
		"token=", "token: a ", "key=", "?key=", "?key=*", "://", "a://b:", "a://b:c/", "a:b", "1234567:AA", "a:a@tcp", "eyJ", "eyJ-", "eyJ.", "sk-", "sk-a-",
		"sk-*", "bearer ", "bearer a=", "basic ", "Basic AAAA", "authorization: ", "authorization: digest ", "authorization: x ", "cookie: ", "cookie: a=***;",
		"cookie: path=/ ", "'cookie': 'path=/", "set-cookie: path=/; ", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----***-----END",
		"--", "--password ", "--a-", "a.b@c.", "x@a-", "password=SecretStr(", `password="\`, "password:[", "a b c-d_e.f", "xoxe.xoxp-", "AKIA", "é", "é@", "hooks.slack.com/services/",
		"password=***", "authorization: bearer ***", "sig=a1", "a,'", "'token','", "user:p@",
	}
	for _, k := range kinds {
		texts = append(texts, k.openers...)
	}
	return texts
}

func TestRedactIsLinear(t *testing.T) {
	steps := func(text string) int {
		sc := redactor{s: text, which: redactAll, budget: math.MaxInt}
		sc.scan()
		return sc.steps
	}
	const small, large = 10 << 10, 1 << 20
	worst, of := 0.0, ""
	for _, part := range adversarial() {
		text := strings.Repeat(part, large/len(part)+1)
		few, many := steps(text[:small]), steps(text[:large])
		assert.LessOrEqual(t, many, 110*few, "%q: %d, %d", part, few, many)
		if per := float64(many) / large; per > worst {
			worst, of = per, part
		}
	}
	assert.Less(t, worst, 300.0, "%q", of)
	t.Logf("at most %.0f bytes looked at per byte, of %q", worst, of)
}

func TestRedactCutLooksNoFurther(t *testing.T) {
	for _, part := range append(adversarial(), "all is well, ") {
		text := strings.Repeat(part, 1<<20/len(part))
		const budget = MaxMessage*utf8.UTFMax + maxLocal
		sc := redactor{s: text, which: redactAll, budget: budget}
		sc.scan()
		// A secret may be long; that is read to its end.
		if sc.n > 0 {
			assert.LessOrEqual(t, sc.steps, 300*budget+4*sc.last, "%q", part)
		}
		if sc.n == 0 && !strings.Contains(part, "cookie") { // a line of cookies is read whole, once
			assert.LessOrEqual(t, sc.steps, 300*budget, "%q", part)
		}
		cut, _ := redactAll.RedactCut(text, MaxMessage)
		assert.LessOrEqual(t, utf8.RuneCountInString(cut), MaxMessage)
	}
}

func FuzzRedact(f *testing.F) {
	for _, c := range leaks {
		f.Add(c.text, 20)
	}
	for _, text := range innocent {
		f.Add(text, 5)
	}
	for _, text := range []string{ // once masked twice, or read beyond the end
		"0@..A", "0@0.xoxa-0000000000a1", "AuthoriZAtion:00000000A 0000000A", "sk-a-sk-a1b2c3d4e5f6", "://:A#@@",
		strings.Repeat("0", 57) + "://" + strings.Repeat("0", 255) + ":0@Y(",
	} {
		f.Add(text, 7)
	}
	for _, text := range adversarial() {
		f.Add(text+text+"a1b2c3d4e5f6"+text, 9)
	}
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if len(text) > 1<<16 {
			return
		}
		for _, r := range []Redaction{{Secrets: true}, {Emails: true}, redactAll} {
			sc := redactor{s: text, which: r, budget: math.MaxInt}
			sc.scan()
			require.Less(t, sc.steps, 2000*(len(text)+1))
			got, n := r.Redact(text)
			require.Equal(t, n == 0, got == text)
			require.Equal(t, utf8.ValidString(text), utf8.ValidString(text) && utf8.ValidString(got))
			again, n := r.Redact(got)
			require.Equal(t, got, again)
			require.Zero(t, n, "%q", got)
			want, i := got, 0
			for at := range got {
				if i == max(limit, 0) {
					want = got[:at]
					break
				}
				i++
			}
			cut, _ := r.RedactCut(text, limit)
			require.Equal(t, want, cut)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	plain := `HTTPSConnectionPool(host='api.example.com', port=443): Max retries exceeded with url: /v1/chat?model=gpt-4o (Caused by ConnectTimeoutError("Connection to api.example.com timed out. (timeout=30)")), 01`
	require.Len(b, plain, 200)
	keyed := plain[:140] + " Incorrect key " + openAI + "."
	long := strings.Repeat(plain, 5000)
	for _, c := range []struct {
		name, text string
		redact     func(string) (string, int)
	}{
		{"200 bytes", plain, redactAll.Redact},
		{"with a key", keyed, redactAll.Redact},
		{"1 MB", long, redactAll.Redact},
		{"1 MB cut", long, func(s string) (string, int) { return redactAll.RedactCut(s, MaxMessage) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.redact(c.text)
			}
		})
	}
}

func TestRedactOfNothingAllocatesNothing(t *testing.T) {
	for _, text := range innocent {
		assert.Zero(t, testing.AllocsPerRun(10, func() { redactAll.Redact(text) }), text)
	}
}
