// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package pgtest

import "time"

// CPU is not known here.
func CPU() time.Duration { return 0 }

// CPU is not known here.
func (s *Server) CPU() time.Duration { return 0 }
