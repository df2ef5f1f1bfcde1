// Copyright The stageflow Authors
// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// serverUser is whom the server runs as: PostgreSQL refuses root. nil is whoever runs the tests.
func serverUser() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// attributes makes the server end with the tests, however they end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: serverUser(), Pdeathsig: syscall.SIGQUIT}
}

func giveAway(dir string) error {
	if u := serverUser(); u != nil {
		return os.Chown(dir, int(u.Uid), int(u.Gid))
	}
	return nil
}
