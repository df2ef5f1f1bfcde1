// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package pgtest

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }

func giveAway(string) error { return nil }
