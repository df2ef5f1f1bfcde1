// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"fmt"
	"os"
	"reflect"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if !reflect.DeepEqual(noTrouble, trouble{retry: never, lastGood: never}) {
		fmt.Fprintf(os.Stderr, "somebody wrote to what all healthy breakers share: %+v\n", noTrouble)
		code = max(code, 1)
	}
	os.Exit(code)
}
