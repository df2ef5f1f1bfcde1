// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// The run that is sent again and again, as it was captured from the Python library: it starts, one stage calls one
// provider, and both tell how that went. What is replaced are the ids that name the run, its request and its call, or
// all after the first were duplicates, and the second in which all of it happened, or the events grew old.
const (
	eventsPerRun = 6
	runID        = "e7b75008-3715-5f7d-b7de-e08eaf6a4268"
	requestID    = "cbd8f33b-103c-5f18-8500-62eb23bf874f"
	callID       = "ec17d43d-d900-462e-b66e-dcfcd805ad86"
	second       = "2026-11-22T11:40:39"
)

// readRun reads the lines of that run from its capture.
func readRun(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	if len(lines) < eventsPerRun {
		return "", fmt.Errorf("%s: fewer than %d events", file, eventsPerRun)
	}
	run := string(bytes.Join(lines[:eventsPerRun], nil))
	for _, s := range []string{runID, requestID, callID, second} {
		if !strings.Contains(run, s) {
			return "", errors.New(file + " does not begin with the run that is meant: " + s + " is missing")
		}
	}
	return run, nil
}

// stream is the events of one connection, a line each: whole runs, one after the other.
type stream [][]byte

// newStreams makes a stream of so many runs for every connection. The same seed gives the same ids.
func newStreams(run string, connections, runs int, seed uint64) []stream {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated
	now := time.Now().UTC().Format("2006-01-02T15:04:05")
	streams := make([]stream, connections)
	for i := range streams {
		for range runs {
			fresh := strings.NewReplacer(runID, uuid(random), requestID, uuid(random), callID, uuid(random), second, now)
			for line := range bytes.Lines([]byte(fresh.Replace(run))) {
				streams[i] = append(streams[i], bytes.TrimSuffix(line, []byte("\n")))
			}
		}
	}
	return streams
}

func uuid(random *rand.Rand) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], random.Uint64())
	binary.BigEndian.PutUint64(b[8:], random.Uint64())
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
