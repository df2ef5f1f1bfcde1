// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is the processor time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tick is the unit of times in /proc on every platform that Go runs on.
const tick = 10 * time.Millisecond

// CPU is the processor time that the server has used, in steps of 10 ms.
func (s *Server) CPU() (sum time.Duration) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // gone meanwhile
		}
		// The name in parentheses may hold anything.
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) < 15 || fields[1] != strconv.Itoa(s.process.Process.Pid) {
			continue
		}
		for _, i := range []int{11, 12} { // user, system
			n, _ := strconv.Atoi(fields[i])
			sum += time.Duration(n) * tick
		}
	}
	return sum
}
