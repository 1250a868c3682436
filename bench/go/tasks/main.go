// The loads of bench/tasks, in Go: tasks LOAD PROCS [quick], or tasks version.
//
// Written for Go 1.19 and later.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	name  string
	procs int
	quick bool
)

func rusage() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

var (
	wallBegin time.Time
	cpuBegin  time.Duration
)

func begin() {
	wallBegin = time.Now()
	cpuBegin = rusage()
}

func end(ops float64) {
	wall, cpu := time.Since(wallBegin), rusage()-cpuBegin
	figure("wall", float64(wall)/1e6)
	figure("cpu", float64(cpu)/1e6)
	figure("each", float64(cpu)/ops)
	figure("wall-each", float64(wall)/ops)
}

func figure(name string, value float64) { fmt.Printf("%s %.6f\n", name, value) }
func check(sum uint64)                  { fmt.Printf("check %d\n", sum>>12) }

func fail(what string) {
	fmt.Fprintln(os.Stderr, "go:", what)
	os.Exit(1)
}

func mix(sum, value uint64) uint64 {
	return (sum^value)*0x9E3779B97F4A7C15 + (sum >> 29)
}

func count(n int) int {
	if quick {
		return n / 20
	}
	return n
}

func pick(small, full int) int {
	if quick {
		return small
	}
	return full
}

// The number behind the last '-' of the load's name.
func number() int {
	n, _ := strconv.Atoi(name[strings.LastIndex(name, "-")+1:])
	return n
}

// fn(0) ... fn(n-1), each on a goroutine.
func join(n int, fn func(int)) {
	var done sync.WaitGroup
	done.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			fn(i)
			done.Done()
		}(i)
	}
	done.Wait()
}

var loads = map[string]func(){
	"yield":             yield,
	"spawn":             spawn,
	"trip":              trip,
	"element":           func() { consume(0) },
	"buffered":          func() { consume(128) },
	"select-ready-2":    selectReady2,
	"select-ready-8":    selectReady8,
	"select-blocking-2": func() { selectBlocking(2, receive2) },
	"select-blocking-8": func() { selectBlocking(8, receive8) },
	"skynet":            skynet,
	"thread-ring":       threadRing,
	"sieve":             sieve,
	"chameneos":         chameneos,
	"ping-pong":         pingPong,
	"big":               big,
	"bounded":           bounded,
	"mutex-2":           mutex,
	"mutex-8":           mutex,
	"mutex-64":          mutex,
	"rwmutex-2":         rwmutex,
	"rwmutex-8":         rwmutex,
	"rwmutex-64":        rwmutex,
	"waitgroup-2":       waitGroup,
	"waitgroup-8":       waitGroup,
	"waitgroup-64":      waitGroup,
	"queues":            queues,
	"defer":             deferLoad,
	"defer-loop":        deferLoop,
	"panic":             func() { panicFrom(0) },
	"panic-deep":        func() { panicFrom(20) },
	"timers":            timers,
	"lateness":          lateness,
	"parked":            parked,
	"echo-4":            echo,
	"echo-1000":         echo,
	"file-write-0":      fileWrite,
	"file-write-2":      fileWrite,

	"counter":             counter,
	"cmap-hit-1000":       cmapHit,
	"cmap-hit-1000000":    cmapHit,
	"cmap-update-100000":  cmapUpdate,
	"cmap-insert-1000000": cmapInsert,
	"cmap-mixed-100000":   cmapMixed,
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
		return
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: tasks LOAD PROCS [quick]")
		os.Exit(2)
	}
	name = os.Args[1]
	procs, _ = strconv.Atoi(os.Args[2])
	quick = len(os.Args) > 3 && os.Args[3] == "quick"
	run, ok := loads[name]
	if !ok {
		os.Exit(3)
	}
	run()
}
