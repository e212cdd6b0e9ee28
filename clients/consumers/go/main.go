// Command consumer is an example of how a program outside of the platform follows its events.
//
//	go run . -bootstrap 127.0.0.1:19092 -schemas ../../../schemas/avro -store counts.db -idle-s 3
//
// It prints its counts as one line of JSON when it ends: with -idle-s once nothing has come for so long, else at Ctrl-C.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	bootstrap := flag.String("bootstrap", "", "host:port of a broker")
	folder := flag.String("schemas", "", "the folder schemas/avro")
	path := flag.String("store", "", "file for counts and positions; made if it is not there")
	prefix := flag.String("prefix", "", "what stands before every topic's name")
	named := flag.String("topics", "", "without prefix, with commas between; default: of all schemas")
	idleS := flag.Float64("idle-s", 0, "stop when nothing has come for so long; 0 for never")
	flag.Parse()
	if err := run(*bootstrap, *folder, *path, *prefix, *named, time.Duration(*idleS*float64(time.Second))); err != nil {
		fmt.Fprintf(os.Stderr, "consumer: %v\n", err)
		os.Exit(1)
	}
}

func run(bootstrap, folder, path, prefix, named string, idle time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	schemas, err := LoadSchemas(folder)
	if err != nil {
		return err
	}
	store, err := OpenStore(path)
	if err != nil {
		return err
	}
	defer store.db.Close()
	topics := schemas.topics
	if named != "" {
		topics = strings.Split(named, ",")
	}
	prefixed := make([]string, len(topics))
	for i, topic := range topics {
		prefixed[i] = prefix + topic
	}
	follower := &Follower{store: store, schemas: schemas}
	reader := &Reader{bootstrap: bootstrap, topics: prefixed, store: store, follower: follower}
	if err := reader.Run(ctx, idle); err != nil {
		return err
	}
	return tell(store, follower.seen)
}

func tell(store *Store, seen Seen) error {
	counts, charged := map[string]int{}, map[string]int64{}
	err := store.View(func(tx Tx) error {
		return tx.Each(func(_ []byte, one event) {
			counts[one.Type]++
			if one.Currency != "" {
				charged[one.Currency] += one.Charged
			}
		})
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"counts": counts, "charged": charged,
		"applied": seen.Applied, "duplicates": seen.Duplicates, "crossed": seen.Crossed,
	})
}
