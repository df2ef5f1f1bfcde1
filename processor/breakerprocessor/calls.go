// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breakerprocessor

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stageflow/otelcol-stageflow/sdk/semconv"
)

// callID names a call: a hash of its run and call id, or of the trace and span id of a call that has none. Of 100,000
// calls, two have the same one once in four billion times. 0 names none.
type callID uint64

func callIDOf(of, id string) callID {
	d := xxhash.New()
	var length [8]byte // where one name ends and the other begins
	binary.BigEndian.PutUint64(length[:], uint64(len(of)))
	_, _ = d.Write(length[:])
	_, _ = d.WriteString(of)
	_, _ = d.WriteString(id)
	return callID(max(d.Sum64(), 1))
}

// verdict is what was written on a call, for when the call is seen again.
type verdict struct {
	// The breaker when the call started.
	state        semconv.BreakerState // "" is not known any more: the call was counted before a restart
	failureRatio float64
	calls        uint64
	openedAt     time.Time // zero for a closed one
	retryAfter   time.Duration
	// transition that the call caused, "" for none; to is where it led.
	transition string
	to         semconv.BreakerState
}

// knownCalls are the calls that were counted, as many as fit.
type knownCalls struct {
	*simplelru.LRU[callID, verdict]
}

func newKnownCalls(most int) (*knownCalls, error) {
	lru, err := simplelru.NewLRU[callID, verdict](most, nil)
	return &knownCalls{lru}, err
}

// export is the names of all, the oldest first. Verdicts are not kept: what they say, the breakers still know.
func (k *knownCalls) export() []byte {
	out := make([]byte, 0, 8*k.Len())
	for _, id := range k.Keys() {
		out = binary.BigEndian.AppendUint64(out, uint64(id))
	}
	return out
}

func (k *knownCalls) restore(from []byte) error {
	if len(from)%8 != 0 {
		return errors.New("the calls that were counted before are not known: what was stored is cut off")
	}
	for ; len(from) > 0; from = from[8:] {
		k.Add(callID(binary.BigEndian.Uint64(from)), verdict{})
	}
	return nil
}
