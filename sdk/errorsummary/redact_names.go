// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

// telling is how much a name says of the value behind it.
type telling uint8

const (
	// tellsNothing: not even what its end tells.
	tellsNothing telling = iota
	// tellsPassword: any value is one, but "password: must be longer" is a sentence.
	tellsPassword
	// tellsAssigned: any value that is assigned or quoted; in a sentence ("PASS: TestX") none.
	tellsAssigned
	// tellsKey: any value that is assigned or quoted; in a sentence ("API key: …") one that looks random.
	tellsKey
	// tellsToken: a value that looks random; "token: unexpected end" and max_token=4096 do not. Any in a query.
	tellsToken
	// tellsQuery: a query parameter (?key=…); elsewhere the name says nothing.
	tellsQuery
	// tellsHeader: Authorization. The scheme is kept.
	tellsHeader
	// tellsCookies: Cookie and Set-Cookie. The names of the cookies are kept.
	tellsCookies
)

// secretName is one row of the table: how the name before a value ends.
type secretName struct {
	// name is in lower case without what joins words: apikey fits API_KEY, x-api-key, "api key", openaiApiKey.
	name string
	// tells is what it says of the value.
	tells telling
	// word: as a word of its own, not as the end of another one: bypass, max_tokens, monkey.
	word bool
}

// secretNames is the table of names that give away a secret behind them. The first row that fits decides.
var secretNames = []secretName{
	{name: "proxyauthorization", tells: tellsHeader},
	{name: "authorization", tells: tellsHeader, word: true},
	{name: "cookie", tells: tellsCookies, word: true}, // Set-Cookie too

	// Passwords: DSNs, forms, JSON, ODBC, command lines.
	{name: "password", tells: tellsPassword},
	{name: "passwd", tells: tellsPassword},
	{name: "passphrase", tells: tellsPassword},
	{name: "passwordhash", tells: tellsPassword},
	{name: "pwd", tells: tellsPassword, word: true},
	{name: "pass", tells: tellsAssigned, word: true},

	// API keys: OpenAI, Anthropic, Mistral, Cohere, Azure (x-api-key, api-key), ElevenLabs (xi-api-key), Google
	// (x-goog-api-key), AssemblyAI, Deepgram, Pinecone, and "Incorrect API key provided: sk-ab****yz".
	{name: "apikey", tells: tellsKey},
	{name: "apikeyprovided", tells: tellsKey},
	{name: "apisecret", tells: tellsKey},
	{name: "apitoken", tells: tellsKey},
	{name: "secretkey", tells: tellsKey},
	{name: "secretaccesskey", tells: tellsKey}, // AWS
	{name: "accesskey", tells: tellsKey},
	{name: "accesskeyid", tells: tellsToken},
	{name: "accountkey", tells: tellsKey},      // Azure Storage
	{name: "subscriptionkey", tells: tellsKey}, // Ocp-Apim-Subscription-Key of Azure Speech
	{name: "functionskey", tells: tellsKey},    // x-functions-key
	{name: "speechkey", tells: tellsKey},
	{name: "openaikey", tells: tellsKey},
	{name: "deepgramkey", tells: tellsKey},
	{name: "authkey", tells: tellsKey},
	{name: "privatekey", tells: tellsKey},
	{name: "signingkey", tells: tellsKey},
	{name: "encryptionkey", tells: tellsKey},
	{name: "masterkey", tells: tellsKey},
	{name: "sharedkey", tells: tellsKey},
	{name: "clientsecret", tells: tellsKey},
	{name: "secret", tells: tellsKey, word: true},

	// Tokens.
	{name: "accesstoken", tells: tellsKey},
	{name: "refreshtoken", tells: tellsKey},
	{name: "authtoken", tells: tellsKey},
	{name: "bearertoken", tells: tellsKey},
	{name: "sessiontoken", tells: tellsKey},
	{name: "securitytoken", tells: tellsKey}, // X-Amz-Security-Token
	{name: "idtoken", tells: tellsKey},
	{name: "csrftoken", tells: tellsKey},
	{name: "expectedtoken", tells: tellsNothing}, // parsers
	{name: "token", tells: tellsToken, word: true},
	{name: "jwt", tells: tellsToken, word: true},
	{name: "bearer", tells: tellsToken, word: true},

	// Signed URLs: X-Amz-Signature, X-Amz-Credential, sig= of SharedAccessSignature.
	{name: "signature", tells: tellsToken, word: true},
	{name: "sig", tells: tellsToken, word: true},
	{name: "credential", tells: tellsToken, word: true},
	{name: "credentials", tells: tellsToken, word: true},
	{name: "key", tells: tellsQuery, word: true},
	{name: "auth", tells: tellsQuery, word: true},
}

const (
	maxName     = 20 // letters, at least those of the longest row and one
	maxNameLook = 64 // bytes with all that joins words
)

// namesByEnd has the rows by the last letter of the name, read backwards.
var namesByEnd = func() (t [256][]secretName) {
	for _, n := range secretNames {
		back := []byte(n.name)
		for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
			back[i], back[j] = back[j], back[i]
		}
		n.name = string(back)
		t[back[0]] = append(t[back[0]], n)
	}
	return t
}()

// telltale is a telling name before a separator.
type telltale struct {
	tells telling
	// from is where what was recognised of it begins.
	from int
	// quoted: "name", 'name', \"name\".
	quoted bool
	// query: it is a parameter of a query.
	query bool
}

// nameBefore recognises the name that ends before the separator at i.
func (sc *redactor) nameBefore(i int) (f telltale, ok bool) {
	s, p, floor := sc.s, i, max(sc.last, i-maxNameLook)
	defer func() { sc.steps += i - p }()
	for p > floor && s[p-1] == ' ' {
		p--
	}
	if p > floor && s[p-1] == ']' { // headers["x-api-key"] = …
		p--
	}
	if p > floor && isQuote(s[p-1]) {
		f.quoted = true
		p--
		for p > floor && s[p-1] == '\\' {
			p--
		}
	}
	if p <= floor || len(namesByEnd[s[p-1]|0x20]) == 0 {
		return f, false
	}
	// The name backwards, its letters only, and where they stand.
	var name [maxName]byte
	var at [maxName]int
	n := 0
	for n < maxName && p > floor {
		c := s[p-1]
		if alnum(c) {
			if letter(c) {
				c |= 0x20
			}
			name[n], at[n] = c, p-1
			n++
		} else if c != '_' && c != '-' && c != '.' && c != ' ' {
			break
		}
		p--
	}
	if n == 0 {
		return f, false
	}
	for _, row := range namesByEnd[name[0]] {
		l := len(row.name)
		if n < l || string(name[:l]) != row.name {
			continue
		}
		f.from = at[l-1]
		if row.word && n > l && at[l] == f.from-1 && letter(s[at[l]]) && (!isCapital(s[f.from]) || isCapital(s[at[l]])) {
			continue // it goes on before, and not in camelCase
		}
		f.tells = row.tells
		f.query = inQuery(s, f.from)
		return f, row.tells != tellsNothing && (row.tells != tellsQuery || f.query)
	}
	return f, false
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }
func isQuote(c byte) bool   { return c == '"' || c == '\'' || c == '`' }

// inQuery: a query parameter begins at i. Go's JSON writes & as \u0026, HTML as &amp;.
func inQuery(s string, i int) bool {
	if i == 0 {
		return false
	}
	before := s[max(0, i-6):i]
	switch before[len(before)-1] {
	case '?', '&':
		return true
	case '6':
		return before == `\u0026`
	case ';':
		return len(before) >= 5 && before[len(before)-5:] == "&amp;"
	}
	return false
}
