// The lines of bench/switch.c, in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	switches = 400000
	batch    = 100
)

// CPU time of the process.
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func show(name string, begin time.Duration, n int) {
	fmt.Printf("%s %f\n", name, float64((cpu()-begin).Nanoseconds())/float64(n))
}

func yield() {
	var done sync.WaitGroup
	done.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			for i := 0; i < switches/2; i++ {
				runtime.Gosched()
			}
			done.Done()
		}()
	}
	t := cpu()
	done.Wait()
	show("yield", t, switches)
}

func roundTrip() {
	there, back := make(chan int32), make(chan int32)
	go func() {
		for v := range there {
			back <- v
		}
	}()
	t := cpu()
	for i := 0; i < switches/2; i++ {
		there <- int32(i)
		<-back
	}
	show("unbuffered-round-trip", t, switches/2)
	close(there)
}

func element(name string, capacity int) {
	c := make(chan int32, capacity)
	go func() {
		for i := 0; i < switches; i++ {
			c <- int32(i)
		}
		close(c)
	}()
	t := cpu()
	for range c {
	}
	show(name, t, switches)
}

func spawn() {
	var done sync.WaitGroup
	t := cpu()
	for i := 0; i < switches/batch; i++ {
		done.Add(batch)
		for i := 0; i < batch; i++ {
			go done.Done()
		}
		done.Wait()
	}
	show("start-and-exit", t, switches)
}

func selectOf2() {
	a, b := make(chan int32, 1), make(chan int32, 1)
	t := cpu()
	for i := 0; i < switches; i++ {
		a <- int32(i)
		select {
		case <-a:
		case <-b:
		}
	}
	show("send-and-select-of-2", t, switches)
}

func mutex() {
	var m sync.Mutex
	t := cpu()
	for i := 0; i < switches; i++ {
		m.Lock()
		m.Unlock()
	}
	show("mutex-uncontended", t, switches)
}

func main() {
	yield()
	roundTrip()
	element("buffered-128-element", 128)
	element("unbuffered-element", 0)
	spawn()
	selectOf2()
	mutex()
}
