// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package runlog

import (
	"embed"
	"io/fs"
)

// Migrations are the texts of a store's migrations, the files migrations/*.sql, in order.
func Migrations(files embed.FS) []string {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is a constant
	}
	texts := make([]string, len(names))
	for i, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			panic(err) // embedded
		}
		texts[i] = string(b)
	}
	return texts
}
