// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package redistest

import (
	"context"
	"os/exec"
)

func command(program string, args ...string) *exec.Cmd {
	return exec.CommandContext(context.Background(), program, args...)
}
