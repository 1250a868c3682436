// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"strings"
)

func measureBuilder() {
	const n = 20000
	word := "builder"
	c := cpu()
	for i := 0; i < n; i++ {
		var b strings.Builder
		for k := 0; k < 1000; k++ {
			b.WriteString(word)
			b.WriteByte(' ')
		}
		sink += uint64(len(b.String()))
	}
	add("builder-add", float64(cpu()-c)/n/1000)
}

func measureBuilderBytes() {
	const n = 20000
	c := cpu()
	for i := 0; i < n; i++ {
		var b strings.Builder
		for k := 0; k < 1000; k++ {
			b.WriteByte(byte(k))
		}
		sink += uint64(len(b.String()))
	}
	add("builder-byte", float64(cpu()-c)/n/1000)
}

func measureFormat(name string, n int, f func(i int) string) {
	c := cpu()
	for i := 0; i < n; i++ {
		sink += uint64(len(f(i)))
	}
	add(name, float64(cpu()-c)/float64(n))
}

func measureFormats() {
	measureFormat("format-int", 5000000, func(i int) string { return fmt.Sprintf("%d", i) })
	measureFormat("format-mixed", 3000000, func(i int) string {
		return fmt.Sprintf("%s: %d of %5d, %x", "record", i, 100000, i)
	})
	measureFormat("format-fixed", 3000000, func(i int) string { return fmt.Sprintf("%.2f", float64(i)*0.37) })
	measureFormat("format-general", 1000000, func(i int) string { return fmt.Sprintf("%g", float64(i)*0.37) })
}

func measureBuilderFormat() {
	const n = 3000
	c := cpu()
	for i := 0; i < n; i++ {
		var b strings.Builder
		for k := 0; k < 1000; k++ {
			fmt.Fprintf(&b, "%d=%s\n", k, "value")
		}
		sink += uint64(len(b.String()))
	}
	add("builder-format", float64(cpu()-c)/n/1000)
}

func measureSplit() {
	const n = 20000
	s := strings.Repeat("some words ", 100)
	c := cpu()
	for i := 0; i < n; i++ {
		sink += uint64(len(strings.Split(s, " ")))
	}
	add("split-200", float64(cpu()-c)/n/200)
}

func measureSearch() {
	const n = 20000
	s := strings.Repeat("haystack and hay ", 1000) + "needle"
	c := cpu()
	for i := 0; i < n; i++ {
		sink += uint64(strings.Index(s, "needle"))
	}
	add("index-17k", float64(cpu()-c)/n/1000)
}

func measureText() {
	measureBuilder()
	measureBuilderBytes()
	measureFormats()
	measureBuilderFormat()
	measureSplit()
	measureSearch()
}
