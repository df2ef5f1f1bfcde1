// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package redistest

import (
	"context"
	"os/exec"
	"syscall"
)

// command makes the server end with the tests, however they end.
func command(program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), program, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}
