// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

// Program collector measures what events cost the collector, beside what they cost stock collectors: events per second
// and CPU seconds per million events. It prints tables in Markdown.
//
// Every measurement is of a new process that gets the same requests, which were made beforehand, over a few
// connections that each wait for the answer before they send the next. The contestants take turns, so that what
// else the machine does befalls all of them. The CPU time is that of the collector's process alone, user and system,
// from when it is warm until everything has left it.
//
// events.go makes the events, payload.go what is sent, contestants.go the collectors, process.go and send.go run
// them, table.go says what came of it; the program in stock is the collector to compare with.
package main
