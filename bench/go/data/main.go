// The lines of bench/data, in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

var sink uint64

// CPU time of the process since the start, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func now() int64 { return time.Now().UnixNano() }

func add(name string, value float64) { fmt.Println(name, value) }

// Is it asked for?  By bench/data, through the environment.
func wanted(name string) bool {
	asked := os.Getenv("GORT_BENCH_DATA")
	return asked == "" || asked == name
}

func main() {
	if wanted("slices") {
		measureSlices()
	}
	if wanted("text") {
		measureText()
	}
}
