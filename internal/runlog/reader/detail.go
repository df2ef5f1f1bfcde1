// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package reader

// Detail is a run with all that the log has under it. Every list is in order of time.
type Detail struct {
	Run                Record
	Stages             []Record
	ProviderCalls      []Record
	ToolCalls          []Record
	BreakerTransitions []Record // those that happened in the run's trace
	Events             []Record // only from [Reader.Each], and only where the store keeps them
	Children           []Record // the rows of the runs that this one started; only from [Reader.Run]
	// Truncated tells that a list was cut at [MaxRows].
	Truncated bool
}

// lists are the lists of a detail under the names of their views, in the order in which JSON shows them.
func (d *Detail) lists() []list {
	return []list{
		{view: viewStages, records: &d.Stages},
		{view: viewProviderCalls, records: &d.ProviderCalls},
		{view: viewToolCalls, records: &d.ToolCalls},
		{view: viewBreakerTransitions, records: &d.BreakerTransitions},
		{view: viewEvents, records: &d.Events, optional: true},
		{view: "children", records: &d.Children, optional: true},
	}
}

type list struct {
	view    string
	records *[]Record
	// optional lists are left out of JSON when they are empty.
	optional bool
}

// MarshalJSON writes the run's columns and, beside them, a list per view of what is under it.
func (d *Detail) MarshalJSON() ([]byte, error) {
	b, err := d.Run.appendJSON(nil)
	if err != nil {
		return nil, err
	}
	b = b[:len(b)-1]
	for _, l := range d.lists() {
		if l.optional && len(*l.records) == 0 {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, `"`+l.view+`":[`...)
		for i, r := range *l.records {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = r.appendJSON(b); err != nil {
				return nil, err
			}
		}
		b = append(b, ']')
	}
	if d.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	return append(b, '}'), nil
}
