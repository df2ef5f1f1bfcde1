// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package errorsummary

import "strings"

// maxLinks bounds the links of a chain that are judged. Of a longer one the last found is kept beside the first.
const maxLinks = 16

// link is one exception of a chain.
type link struct {
	typ, text string
	span      string // both, as they stand in the text
}

// chain is the exceptions that a text tells of, in the order in which it tells them.
type chain struct {
	links [maxLinks]link
	n     int
	// innerFirst: Python prints the first cause first, the others the last consequence.
	innerFirst bool
	// steps counts the bytes looked at, for the tests.
	steps int
}

func (c *chain) add(span string) {
	span = strings.TrimSpace(span)
	if span == "" {
		return
	}
	if c.n == maxLinks {
		c.n-- // in the place of the last one
	}
	typ, text := headType(span)
	c.links[c.n] = link{typ, text, span}
	c.n++
}

// inner returns the i-th link counted from the innermost.
func (c *chain) inner(i int) link {
	if c.innerFirst {
		return c.links[i]
	}
	return c.links[c.n-1-i]
}

const pythonHeader = "Traceback (most recent call last):"

// splitChain finds the links of a traceback or of a message that quotes its causes. Each byte is looked at a
// fixed number of times.
func splitChain(text string) (c chain) {
	c.steps = len(text)
	if strings.Contains(text, pythonHeader) {
		c.innerFirst = true
		c.python(text)
	} else {
		c.others(text)
	}
	return c
}

// python splits the output of traceback.format_exception: blocks of frames, each followed by its exception, the
// root cause first. Only an exception group stands before what is in it.
func (c *chain) python(text string) {
	const (
		before  = iota // outside a traceback
		frames         // in its frames
		message        // in what follows them
	)
	state, start, base := before, 0, 0
	preamble, group := "", -1
	for at := 0; at < len(text); {
		line, next := lineAt(text, at)
		indent := len(line) - len(strings.TrimLeft(line, " \t|+"))
		body := strings.TrimRight(line[indent:], " \r")
		switch {
		case strings.HasSuffix(body, pythonHeader):
			if state == message {
				c.add(text[start:at])
			} else if state == before && c.n == 0 {
				preamble = text[:at]
			}
			state, base = frames, indent
			if group < 0 && strings.Contains(body, "Exception Group") {
				group = c.n
			}
		case state == frames && body != "" && !isGroupLine(line) && indent <= base:
			state, start = message, at+indent
		case state == message && (isPythonJoint(body) || isGroupLine(line)):
			c.add(text[start:at])
			state = before
		}
		at = next
	}
	if state == message {
		c.add(text[start:])
	}
	if 0 <= group && group < c.n-1 {
		l := c.links[group]
		copy(c.links[group:], c.links[group+1:c.n])
		c.links[c.n-1] = l
	}
	c.add(preamble) // what was said around the traceback is outermost
}

// isPythonJoint: what stands between a cause and its consequence.
func isPythonJoint(line string) bool {
	return line == "During handling of the above exception, another exception occurred:" ||
		line == "The above exception was the direct cause of the following exception:"
}

// isGroupLine: "+---------------- 2 ----------------" stands between the exceptions of a group.
func isGroupLine(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, " "), "+-")
}

// joints introduce a cause within a line: Java, Kotlin and Scala; Spring; Node; .NET.
var joints = [...]string{
	"Caused by: ", "caused by: ", "nested exception is ", "[cause]: ", " cause: ", "Cause: ", "---> ",
	"Inner exception: ", "InnerException: ",
}

// hasJoint is quicker to say that there is none of the joints than a search for each.
func hasJoint(text string) bool {
	for _, core := range jointCores {
		if strings.Contains(text, core) {
			return true
		}
	}
	return false
}

// jointCores: each joint has one of them in it.
var jointCores = [...]string{"ause", "xception", "---> "}

// others splits what other runtimes print, the outermost first: a message, frames, a joint, the cause.
func (c *chain) others(text string) {
	var ahead [len(joints)]int // where each joint comes next
	some := hasJoint(text)
	for j, joint := range joints {
		if ahead[j] = len(text) + 1; some {
			ahead[j] = indexFrom(text, joint, 0)
		}
	}
	open, start := true, 0 // whether a link is being read, and since where
	suppressed := -1       // how far what was merely suppressed is indented
	listed := false        // in Rust's list of causes
	for at := 0; at < len(text); {
		line, next := lineAt(text, at)
		body := strings.TrimLeft(line, " \t")
		indent := len(line) - len(body)
		if suppressed >= 0 && (indent >= suppressed || body == "") {
			at = next
			continue
		}
		suppressed = -1
		switch {
		case strings.HasPrefix(body, "Suppressed: "):
			c.close(&open, text[start:at])
			suppressed, listed = max(indent, 1), false
		case isFrame(body):
			c.close(&open, text[start:at])
			listed = false
		case strings.TrimRight(body, " \r") == "Caused by:":
			c.close(&open, text[start:at])
			listed = true
		case listed && strings.TrimSpace(body) != "":
			c.add(strings.TrimLeft(body, "0123456789: "))
		default:
			if listed = false; !open && len(strings.TrimSpace(body)) > 1 {
				open, start = true, at // fields of a Node error, printed behind its frames
			}
			for {
				j := nearest(&ahead)
				if ahead[j] >= next {
					break
				}
				if ahead[j] >= start {
					c.close(&open, text[start:ahead[j]])
					open, start = true, ahead[j]+len(joints[j])
				}
				ahead[j] = indexFrom(text, joints[j], ahead[j]+1)
			}
		}
		for j := range ahead { // joints in lines that were passed over
			for ahead[j] < next {
				ahead[j] = indexFrom(text, joints[j], ahead[j]+1)
			}
		}
		at = next
	}
	c.close(&open, text[min(start, len(text)):])
}

func (c *chain) close(open *bool, span string) {
	if *open {
		c.add(span)
	}
	*open = false
}

func nearest(ahead *[len(joints)]int) (first int) {
	for j := range ahead {
		if ahead[j] < ahead[first] {
			first = j
		}
	}
	return first
}

// indexFrom is len(text)+1 when there is none: behind every line.
func indexFrom(text, part string, from int) int {
	if from >= len(text) {
		return len(text) + 1
	}
	if i := strings.Index(text[from:], part); i >= 0 {
		return from + i
	}
	return len(text) + 1
}

// lineAt returns the line that begins at, and where the next one does.
func lineAt(text string, at int) (line string, next int) {
	if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
		return text[at : at+n], at + n + 1
	}
	return text[at:], len(text)
}

// isFrame: a line of a stack, of Java, .NET or Node, or what stands for lines left out.
func isFrame(line string) bool {
	if strings.HasPrefix(line, "at ") {
		return strings.ContainsAny(line, "(/\\") || strings.Contains(line, ":line ")
	}
	return strings.HasPrefix(line, "--- End of ") || strings.HasPrefix(line, "... ") && strings.Contains(line, " more")
}

// headType takes the type's name off "java.net.SocketException: Connection reset". The name is empty when the
// text does not plainly begin with one.
func headType(text string) (typ, rest string) {
	const longest = 200
	i := 0
	for i < len(text) && i < longest && (alnum(text[i]) || strings.IndexByte("._$`+\\/", text[i]) >= 0) {
		i++
	}
	typ, rest = text[:i], text[i:]
	switch {
	case i == 0 || !letter(text[0]) || strings.HasPrefix(rest, "://"):
		return "", text
	case strings.HasPrefix(rest, ": "):
		rest = rest[2:]
	case rest == "" || rest == ":" || strings.HasPrefix(rest, "\n") || strings.HasPrefix(rest, "\r\n"):
		rest = strings.TrimPrefix(rest, ":")
	case strings.HasPrefix(rest, " [") && strings.HasSuffix(typ, "Error"): // TypeError [ERR_INVALID_URL]: Invalid URL
	case strings.HasPrefix(rest, " (") && numbered(rest) > 0: // SocketException (111): message
		rest = rest[numbered(rest):]
	default:
		return "", text
	}
	last := typ[strings.LastIndexAny(typ, ".$+\\/")+1:]
	camel := last != "" && 'A' <= last[0] && last[0] <= 'Z' && strings.ToUpper(typ) != typ
	if !camel || rest == "" && !strings.HasSuffix(last, "Error") && !strings.HasSuffix(last, "Exception") {
		return "", text
	}
	return typ, rest
}

// dropOutermost takes the outermost link off the chain.
func (c *chain) dropOutermost() link {
	c.n--
	if c.innerFirst {
		return c.links[c.n]
	}
	outermost := c.links[0]
	copy(c.links[:], c.links[1:])
	return outermost
}

// outermost returns the outermost message of a text. Only Python prints it last, behind its causes.
func outermost(text string) string {
	if !strings.Contains(text, pythonHeader) {
		return text
	}
	c := splitChain(ends(text))
	if c.n == 0 {
		return text
	}
	return c.dropOutermost().span
}

// numbered is how long "System.X (0x80004005): " is behind the type's name; 0 when it is not there.
func numbered(rest string) int {
	const longest = 24
	if i := strings.Index(rest[:min(len(rest), longest)], "): "); i >= 0 {
		return i + len("): ")
	}
	return 0
}
