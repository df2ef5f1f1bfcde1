// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import (
	"encoding/base64"
	"slices"
	"strings"
)

// kind is one row of the table: a secret that is known by its look, whatever stands around it.
type kind struct {
	name string
	// openers: one of these begins it, at the beginning of a word. It is kept.
	openers []string
	// fold: the openers fit in any case.
	fold bool
	// of: what follows is made of these.
	of charset
	// min: this many of them at least.
	min int
	// exact: not one more than min.
	exact bool
	// segment: so many letters and digits without a hyphen among them, where openers also begin plain words.
	segment int
	// example: so it begins. source: who says so.
	example, source string
	// check decides the rest, if set.
	check func(run string) bool
}

// kinds is the table of secrets that are known by their look. The longest opener that fits at a place decides.
//
// Of whatever kind, a secret also has a digit, or letters in both cases: "sk-something-in-words" has not. One that
// somebody else starred in part ("sk-ab***********yz") is masked whole. At the end of the text, where one may
// have been cut off, eight characters with a digit are enough.
var kinds = []kind{
	// Models and speech.
	{name: "OpenAI", openers: []string{"sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"}, of: b64url, min: 16, example: "sk-proj-Ab1_…-T3BlbkFJ…", source: "gitleaks openai-api-key"},
	{name: "OpenAI, DeepSeek and others", openers: []string{"sk-"}, of: b64url, min: 20, segment: 16, example: "sk-Ab1…", source: "gitleaks openai-api-key, platform.deepseek.com"},
	{name: "Anthropic", openers: []string{"sk-ant-"}, of: b64url, min: 16, example: "sk-ant-api03-Ab1…AA", source: "gitleaks anthropic-api-key"},
	{name: "OpenRouter", openers: []string{"sk-or-"}, of: b64url, min: 16, example: "sk-or-v1-0a1b…", source: "openrouter.ai/docs"},
	{name: "Langfuse", openers: []string{"sk-lf-"}, of: hexLower | hyphen, min: 32, example: "sk-lf-0a1b2c3d-…", source: "langfuse.com/docs"},
	{name: "ElevenLabs", openers: []string{"sk_"}, of: hexLower, min: 32, example: "sk_0a1b…", source: "elevenlabs.io/docs"},
	{name: "Cartesia", openers: []string{"sk_car_"}, of: b64url, min: 16, example: "sk_car_Ab1…", source: "docs.cartesia.ai"},
	{name: "Groq", openers: []string{"gsk_"}, of: alnums, min: 32, example: "gsk_Ab1…", source: "secretlint rule groq"},
	{name: "HuggingFace", openers: []string{"hf_", "api_org_"}, of: alnums, min: 20, example: "hf_Ab1…", source: "gitleaks huggingface-access-token"},
	{name: "Replicate", openers: []string{"r8_"}, of: alnums, min: 30, example: "r8_Ab1…", source: "replicate.com/docs"},
	{name: "xAI", openers: []string{"xai-"}, of: alnums, min: 32, example: "xai-Ab1…", source: "docs.x.ai"},
	{name: "Perplexity", openers: []string{"pplx-"}, of: alnums, min: 32, example: "pplx-Ab1…", source: "gitleaks perplexity-api-key"},
	{name: "NVIDIA", openers: []string{"nvapi-"}, of: b64url, min: 30, example: "nvapi-Ab1…", source: "build.nvidia.com"},
	{name: "Cerebras", openers: []string{"csk-"}, of: alnums, min: 32, example: "csk-ab1…", source: "inference-docs.cerebras.ai"},
	{name: "Together", openers: []string{"tgp_v1_"}, of: b64url, min: 20, example: "tgp_v1_Ab1…", source: "docs.together.ai"},
	{name: "Fireworks", openers: []string{"fw_"}, of: alnums, min: 20, example: "fw_Ab1…", source: "docs.fireworks.ai"},
	{name: "Voyage", openers: []string{"pa-"}, of: b64url, min: 40, segment: 8, example: "pa-Ab1…", source: "docs.voyageai.com"},
	{name: "LangSmith", openers: []string{"lsv2_pt_", "lsv2_sk_"}, of: hexLower | under, min: 32, example: "lsv2_pt_0a1b…_2c3d…", source: "docs.smith.langchain.com"},
	{name: "Tavily", openers: []string{"tvly-"}, of: b64url, min: 20, example: "tvly-dev-Ab1…", source: "docs.tavily.com"},
	{name: "Jina", openers: []string{"jina_"}, of: b64url, min: 32, example: "jina_0a1b…", source: "jina.ai"},
	{name: "Pinecone", openers: []string{"pcsk_"}, of: alnums | under, min: 32, example: "pcsk_Ab1…_…", source: "docs.pinecone.io"},

	// Clouds.
	{name: "Google API key", openers: []string{"AIza"}, of: b64url, min: 35, example: "AIzaSyAb1…", source: "gitleaks gcp-api-key"},
	{name: "Google OAuth token", openers: []string{"ya29."}, of: b64url | dot, min: 20, example: "ya29.a0Ab1…", source: "developers.google.com/identity"},
	{name: "Google refresh token", openers: []string{"1//0"}, of: b64url, min: 30, example: "1//0gAb1…", source: "developers.google.com/identity"},
	{name: "Google client secret", openers: []string{"GOCSPX-"}, of: b64url, min: 20, example: "GOCSPX-Ab1…", source: "developers.google.com/identity"},
	{name: "AWS access key id", openers: []string{"AKIA", "ASIA", "ABIA", "ACCA"}, of: upper | digits, min: 16, exact: true, example: "AKIAAB12…", source: "docs.aws.amazon.com, IAM identifiers"},
	{name: "Databricks", openers: []string{"dapi"}, of: hexLower | hyphen, min: 32, example: "dapi0a1b…-2", source: "gitleaks databricks-api-token"},
	{name: "DigitalOcean", openers: []string{"dop_v1_", "doo_v1_", "dor_v1_"}, of: hexLower, min: 64, example: "dop_v1_0a1b…", source: "gitleaks digitalocean-pat"},
	{name: "Vault", openers: []string{"hvs.", "hvb."}, of: b64url, min: 20, example: "hvs.CAESIAb1…", source: "gitleaks vault-service-token"},

	// Code and packages.
	{name: "GitHub", openers: []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, of: alnums, min: 30, example: "ghp_Ab1…", source: "gitleaks github-pat"},
	{name: "GitHub, fine-grained", openers: []string{"github_pat_"}, of: alnums | under, min: 22, example: "github_pat_11AB…", source: "gitleaks github-fine-grained-pat"},
	{name: "GitLab", openers: []string{"glpat-", "gldt-", "glptt-", "glrt-", "glcbt-"}, of: b64url | dot, min: 20, example: "glpat-Ab1…", source: "gitleaks gitlab-pat"},
	{name: "npm", openers: []string{"npm_"}, of: alnums, min: 30, example: "npm_Ab1…", source: "gitleaks npm-access-token"},
	{name: "PyPI", openers: []string{"pypi-AgE"}, of: b64url, min: 40, example: "pypi-AgEIcHlwaS5vcmc…", source: "gitleaks pypi-upload-token"},
	{name: "Docker", openers: []string{"dckr_pat_"}, of: b64url, min: 20, example: "dckr_pat_Ab1…", source: "docs.docker.com"},
	{name: "age", openers: []string{"AGE-SECRET-KEY-1"}, of: upper | digits, min: 50, example: "AGE-SECRET-KEY-1QP…", source: "gitleaks age-secret-key"},

	// Messages and money.
	{name: "Slack", openers: []string{"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxc-", "xoxd-", "xoxe.xoxp-", "xoxe.xoxb-"}, of: alnums | hyphen, min: 10, example: "xoxb-123…-456…-Ab1…", source: "gitleaks slack-bot-token"},
	{name: "Slack app", openers: []string{"xapp-"}, of: alnums | hyphen, min: 20, example: "xapp-1-A01…-123…-0a1b…", source: "gitleaks slack-app-token"},
	{name: "Slack webhook", openers: []string{"hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/"}, of: alnums | slash, min: 16, example: "hooks.slack.com/services/T01…/B01…/Ab1…", source: "gitleaks slack-webhook-url"},
	{name: "Discord webhook", openers: []string{"discord.com/api/webhooks/", "discordapp.com/api/webhooks/"}, of: b64url | slash, min: 16, example: "discord.com/api/webhooks/123…/Ab1…", source: "discord.com/developers/docs"},
	{name: "Stripe", openers: []string{"sk_live_", "sk_test_", "rk_live_", "rk_test_"}, of: alnums, min: 10, example: "sk_live_Ab1…", source: "gitleaks stripe-access-token"},
	{name: "Stripe webhook, Svix", openers: []string{"whsec_"}, of: alnums | plus | slash | equals, min: 20, example: "whsec_Ab1…", source: "docs.stripe.com"},
	{name: "Twilio", openers: []string{"SK", "AC"}, of: hexLower, min: 32, exact: true, example: "AC0a1b…", source: "gitleaks twilio-api-key"},
	{name: "SendGrid", openers: []string{"SG."}, of: b64url | dot, min: 40, example: "SG.Ab1….…", source: "gitleaks sendgrid-api-token"},
	{name: "Shopify", openers: []string{"shpat_", "shpss_", "shpca_", "shppa_"}, of: hexAny, min: 32, example: "shpat_0a1b…", source: "gitleaks shopify-access-token"},
	{name: "Atlassian", openers: []string{"ATATT3"}, of: b64url | equals, min: 50, example: "ATATT3xFfGF0…", source: "gitleaks atlassian-api-token"},
	{name: "Linear", openers: []string{"lin_api_"}, of: alnums, min: 32, example: "lin_api_Ab1…", source: "gitleaks linear-api-key"},

	// Of everybody. What base64 makes of a JSON object begins so: JWTs, and cursors nobody can tell from them.
	{name: "JWT", openers: []string{"eyJ"}, of: b64url | dot, min: 20, example: "eyJhbGciOi….eyJzdWIiOi….Ab1…", source: "RFC 7519"},
	{name: "Bearer", openers: []string{"bearer ", "bearer%20"}, fold: true, of: b64url | dot | tilde | plus | slash | equals, min: 8, example: "Bearer Ab1…", source: "RFC 6750", check: opaque},
	{name: "Basic", openers: []string{"basic ", "basic%20"}, fold: true, of: b64url | plus | slash | equals, min: 4, example: "Basic dXNlcjpw…", source: "RFC 7617", check: isBasic},
}

// charset is a set of bytes, given as the classes it is made of.
type charset uint16

const (
	digits charset = 1 << iota
	hexLetters
	hexCapitals
	lowerRest
	upperRest
	hyphen
	under
	dot
	plus
	slash
	equals
	tilde
	star
	hexLower = digits | hexLetters
	hexAny   = hexLower | hexCapitals
	upper    = hexCapitals | upperRest
	alnums   = hexAny | lowerRest | upperRest
	b64url   = alnums | hyphen | under
)

var classes = func() (t [256]charset) {
	for c := range 256 {
		switch b := byte(c); {
		case digit(b):
			t[c] = digits
		case 'a' <= b && b <= 'f':
			t[c] = hexLetters
		case 'A' <= b && b <= 'F':
			t[c] = hexCapitals
		case 'a' <= b && b <= 'z':
			t[c] = lowerRest
		case 'A' <= b && b <= 'Z':
			t[c] = upperRest
		}
	}
	for i, c := range []byte("-_.+/=~*") {
		t[c] = hyphen << i
	}
	return t
}()

type opener struct {
	text string
	kind *kind
}

// openers has the openers by their first byte, longer ones first.
var openers = func() (t [256][]opener) {
	for i := range kinds {
		k := &kinds[i]
		for _, o := range k.openers {
			for _, c := range bothCases(o[0], k.fold) {
				t[c] = append(t[c], opener{o, k})
			}
		}
	}
	for _, l := range t {
		slices.SortStableFunc(l, func(a, b opener) int { return len(b.text) - len(a.text) })
	}
	return t
}()

// opener masks a secret of the table that begins at i.
func (sc *redactor) opener(i int) int {
	s := sc.s
	if !wordBegins(s, i) {
		return 0
	}
	for _, o := range openers[s[i]] {
		from := i + len(o.text)
		if from > len(s) || s[i:from] != o.text && (!o.kind.fold || !strings.EqualFold(s[i:from], o.text)) {
			continue
		}
		if to := sc.secretRun(o.kind, from); to > 0 {
			return sc.put(from, to)
		}
		return 0 // nor by a shorter one, to which "proj-***" would be half a secret
	}
	return 0
}

// maxRun is how much of a candidate is looked at before it is taken for a secret.
const maxRun = 128

// secretRun returns where the secret of kind k whose opener ends at from ends, 0 if it is none.
func (sc *redactor) secretRun(k *kind, from int) int {
	s := sc.s
	to := from
	segment, longest := 0, 0
	for to < len(s) && to-from < maxRun && classes[s[to]]&(k.of|star) != 0 {
		segment++
		if !alnum(s[to]) {
			segment = 0
		}
		longest = max(longest, segment)
		to++
	}
	sc.steps += to - from
	run := s[from:to]
	of := k.of | star
	if !starred(run) {
		of = k.of
		if cut := strings.IndexByte(run, '*'); cut >= 0 {
			run = run[:cut]
		}
		run = strings.TrimRight(run, ".")
		to = from + len(run)
		switch {
		case k.check != nil:
			if len(run) < k.min || to < len(s) && s[to] == '*' || !k.check(run) {
				return 0
			}
		case to == len(s) && len(run) < k.min: // cut off
			if len(run) < minCutOff || !strings.ContainsAny(run, "0123456789") || k.segment > 0 && longest < minCutOff {
				return 0
			}
		case len(run) < k.min || k.exact && len(run) > k.min || longest < k.segment || !mixed(run):
			return 0
		}
	}
	// The rest of it goes as well. This is not wasted often: an alphabet that lacks some letters, so that the
	// check behind may fail, also lacks some of its openers, so that none begins within.
	for to < len(s) && classes[s[to]]&of != 0 {
		to++
	}
	sc.steps += to - from
	if to < len(s) && alnum(s[to]) {
		return 0 // of another alphabet
	}
	for to > from && s[to-1] == '.' {
		to--
	}
	return to
}

// minCutOff is how much of a secret must be there at the end of the text.
const minCutOff = 8

// wordBegins: not inside a word. What escapes leave before it (\n, %3D) is no word.
func wordBegins(s string, i int) bool {
	return i == 0 || !alnum(s[i-1]) ||
		i >= 2 && s[i-2] == '\\' && strings.IndexByte("nrt", s[i-1]) >= 0 ||
		i >= 3 && s[i-3] == '%' && hexDigit(s[i-2]) && hexDigit(s[i-1])
}

// mixed: it has a digit, or letters in both cases.
func mixed(run string) bool {
	var has charset
	for _, c := range []byte(run) {
		has |= classes[c]
	}
	return has&digits != 0 || has&upper != 0 && has&(hexLetters|lowerRest) != 0
}

// starred: somebody else masked a part of it. Three stars are our own mask unless they stand within a word.
func starred(s string) bool {
	for i := strings.IndexByte(s, '*'); i >= 0 && i < len(s); i++ {
		if s[i] != '*' {
			continue
		}
		end := i
		for end < len(s) && s[end] == '*' {
			end++
		}
		before, after := i > 0 && alnum(s[i-1]), end < len(s) && alnum(s[end])
		if end-i > len(Mask) && (before || after) || end-i == len(Mask) && before && after {
			return true
		}
		i = end - 1
	}
	return false
}

// onlyMask: nothing of a secret is left in it.
func onlyMask(s string) bool {
	return s != "" && strings.Trim(s, "*-_.") == ""
}

// opaque is what may follow Bearer: "Bearer authentication" and "Bearer realm=" are text.
func opaque(run string) bool {
	run = strings.TrimRight(run, "=")
	if strings.Contains(run, "=") {
		return false
	}
	return strings.ContainsAny(run, "0123456789") || len(run) >= 20 && mixed(run)
}

// isBasic: it decodes to user:password.
func isBasic(run string) bool {
	run = strings.TrimRight(run, "=")
	run = run[:len(run)&^3] // whole groups; the colon is seldom at the very end
	var buf [maxRun]byte
	n, err := base64.RawStdEncoding.Decode(buf[:], []byte(run))
	if err != nil {
		n, err = base64.RawURLEncoding.Decode(buf[:], []byte(run))
	}
	if err != nil {
		return false
	}
	colon := false
	for _, c := range buf[:n] {
		if c < ' ' || c == 0x7f {
			return false
		}
		colon = colon || c == ':'
	}
	return colon
}
