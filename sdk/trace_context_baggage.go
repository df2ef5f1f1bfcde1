// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package stageflow

import (
	"cmp"
	"slices"

	"go.opentelemetry.io/otel/baggage"
)

// The limits of W3C baggage. OpenTelemetry keeps to them too, but picks what to drop by chance.
const (
	maxBaggageMembers = 64
	maxBaggageBytes   = 8192
)

// membersOf is baggage in the order of its names, within the limits and without what OpenTelemetry would refuse.
func membersOf(b map[string]string) []baggage.Member {
	if len(b) == 0 {
		return nil
	}
	members := make([]baggage.Member, 0, min(len(b), maxBaggageMembers))
	for key, value := range b {
		if m, err := baggage.NewMemberRaw(key, value); err == nil {
			members = append(members, m)
		}
	}
	return sortedMembers(members)
}

func sortedMembers(members []baggage.Member) []baggage.Member {
	slices.SortFunc(members, func(a, b baggage.Member) int { return cmp.Compare(a.Key(), b.Key()) })
	return within(members)
}

// within drops the members that exceed the limits; those in front stay.
func within(members []baggage.Member) []baggage.Member {
	kept, size := members[:0], 0
	for _, m := range members {
		if len(kept) == maxBaggageMembers {
			break
		}
		// A name that no header can carry has no written form, but needs its room all the same.
		n := cmp.Or(len(m.String()), len(m.Key())+len(m.Value())) + len(",")
		if size+n > maxBaggageBytes {
			continue
		}
		kept, size = append(kept, m), size+n
	}
	return kept
}

func baggageMap(members []baggage.Member) map[string]string {
	if len(members) == 0 {
		return nil
	}
	out := make(map[string]string, len(members))
	for _, m := range members {
		out[m.Key()] = m.Value()
	}
	return out
}
