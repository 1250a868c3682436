// The lines of bench/parked.c, in Go.
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
	"sync/atomic"
	"time"
)

const count = 100000

func statusKB(name string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, name) {
			kb, _ := strconv.ParseFloat(strings.Fields(line[len(name):])[0], 64)
			return kb
		}
	}
	return 0
}

func main() {
	var done sync.WaitGroup
	var arrived atomic.Int32
	gate := make(chan int)
	rss, tables := statusKB("VmRSS:"), statusKB("VmPTE:")
	done.Add(count)
	t := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			arrived.Add(1)
			<-gate
			done.Done()
		}()
	}
	for arrived.Load() != count {
		runtime.Gosched()
	}
	fmt.Printf("start-and-park-ns %f\n", float64(time.Since(t).Nanoseconds())/count)
	fmt.Printf("resident-bytes %f\n", (statusKB("VmRSS:")-rss)*1024/count)
	fmt.Printf("page-table-bytes %f\n", (statusKB("VmPTE:")-tables)*1024/count)
	t = time.Now()
	close(gate)
	done.Wait()
	fmt.Printf("wake-and-exit-ns %f\n", float64(time.Since(t).Nanoseconds())/count)
}
