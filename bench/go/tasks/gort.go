// bench/gort/tasks in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const outside = 10

var wasted [64 * 8]uint64

func contend(total int, fn func(me, turns int)) int {
	n := number()
	turns := count(total) / n
	begin()
	join(n, func(me int) { fn(me, turns) })
	end(float64(turns) * float64(n))
	return turns
}

func mutex() {
	var m sync.Mutex
	var counter uint64
	contend(4000000, func(me, turns int) {
		value := uint64(me)
		for i := 0; i < turns; i++ {
			m.Lock()
			counter++
			m.Unlock()
			value = work(value, outside)
		}
		wasted[me*8] = value
	})
	check(counter << 12)
}

func rwmutex() {
	var m sync.RWMutex
	var counter atomic.Uint64
	turns := contend(4000000, func(me, turns int) {
		value, seen := uint64(me), uint64(0)
		for i := 0; i < turns; i++ {
			m.RLock()
			seen += counter.Load()
			m.RUnlock()
			value = work(value, outside)
		}
		wasted[me*8] = value + seen
	})
	check(uint64(turns) << 12)
}

func waitGroup() {
	turns := contend(400000, func(me, turns int) {
		var done sync.WaitGroup
		for i := 0; i < turns; i++ {
			done.Add(4)
			for k := 0; k < 4; k++ {
				go done.Done()
			}
			done.Wait()
		}
	})
	check(uint64(turns) << 12)
}

func queues() {
	const goroutines, steps = 256, 25
	turns, sum := count(10000), uint64(0)
	var sums [goroutines]uint64
	begin()
	join(goroutines, func(me int) {
		value := uint64(me)
		for i := 0; i < turns; i++ {
			value = work(value, steps)
			runtime.Gosched()
		}
		sums[me] = value
	})
	end(float64(turns) * goroutines)
	for _, s := range sums {
		sum = mix(sum, s)
	}
	check(sum)
}

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

func parked() {
	var done sync.WaitGroup
	var arrived atomic.Int64
	n := pick(100000, 1000000)
	if set, err := strconv.Atoi(os.Getenv("GORT_BENCH_PARKED")); err == nil {
		n = set
	}
	gate := make(chan int)
	rss, tables := statusKB("VmRSS:"), statusKB("VmPTE:")
	done.Add(n)
	begin()
	for i := 0; i < n; i++ {
		go func() {
			arrived.Add(1)
			<-gate
			done.Done()
		}()
	}
	for arrived.Load() != int64(n) {
		runtime.Gosched()
	}
	end(float64(n))
	rss, tables = statusKB("VmRSS:")-rss, statusKB("VmPTE:")-tables
	figure("bytes", (rss+tables)*1024/float64(n))
	figure("tables", tables*1024/float64(n))
	t := time.Now()
	close(gate)
	done.Wait()
	figure("wake", float64(time.Since(t))/1e6)
	check(uint64(n) << 12)
}

func serveOne(c net.Conn) {
	buffer := make([]byte, 512)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			break
		}
		if _, err = c.Write(buffer[:n]); err != nil {
			break
		}
	}
	c.Close()
}

func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("can not listen")
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serveOne(c)
		}
	}()
	self, _ := os.Executable()
	client := filepath.Join(filepath.Dir(self), "..", "tasks-client")
	messages := count(400000)
	begin()
	report, err := exec.Command(client, listener.Addr().String(), strconv.Itoa(number()),
		strconv.Itoa(messages)).Output()
	cpu := rusage() - cpuBegin
	if err != nil {
		fail("the client failed")
	}
	os.Stdout.Write(report)
	figure("server", float64(cpu)/1e3/float64(messages))
}

func memfd() *os.File {
	name := []byte("bench\x00")
	fd, _, errno := syscall.Syscall(319, uintptr(unsafe.Pointer(&name[0])), 1, 0)
	if errno != 0 {
		fail("no file in memory")
	}
	return os.NewFile(fd, "bench")
}

func fileWrite() {
	var finished atomic.Bool
	var group sync.WaitGroup
	buffer := make([]byte, 64)
	f, n := memfd(), count(200000)
	group.Add(number())
	for i := 0; i < number(); i++ {
		go func() {
			for !finished.Load() {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	begin()
	for i := 0; i < n; i++ {
		if _, err := f.Write(buffer); err != nil {
			fail("can not write")
		}
	}
	end(float64(n))
	finished.Store(true)
	group.Wait()
	f.Close()
	check(uint64(n) << 12)
}
