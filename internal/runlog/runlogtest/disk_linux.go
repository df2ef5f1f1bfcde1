// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlogtest

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

// SmallDisk mounts a file system of that size, until the test ends, and returns its directory. Where nothing can be
// mounted the test is skipped, but fails where CI=true.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	if err != nil {
		t.Fatalf("a file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}
