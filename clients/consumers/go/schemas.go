package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/hamba/avro/v2"
)

// headBytes is the length of marker (C3 01) and CRC-64-AVRO of the writer schema's parsing canonical form (8 bytes, little
// endian).
const headBytes = 10

var schemaFile = regexp.MustCompile(`^([a-z]+)_([a-z_]+)\.v(\d+)\.(\d+)\.avsc$`)

type shipped struct {
	kind   string
	minor  int
	schema avro.Schema
}

// Schemas reads values under the exact schema they were written with, as the newest minor of their major.
type Schemas struct {
	byHead map[string]avro.Schema // resolved to the newest minor
	topics []string
}

// LoadSchemas reads the folder schemas/avro.
func LoadSchemas(folder string) (*Schemas, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*", "*.avsc"))
	if err != nil {
		return nil, err
	}
	found, newest := map[string]shipped{}, map[string]shipped{}
	for _, path := range paths {
		head, one, err := loadSchema(path)
		if err != nil {
			return nil, err
		}
		found[head] = one
		if last, ok := newest[one.kind]; !ok || last.minor < one.minor {
			newest[one.kind] = one
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no schemas", folder)
	}
	return resolved(found, newest)
}

func loadSchema(path string) (string, shipped, error) {
	name := schemaFile.FindStringSubmatch(filepath.Base(path))
	if name == nil {
		return "", shipped{}, fmt.Errorf("%s is not named <subject>_<action>.v<major>.<minor>.avsc", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", shipped{}, err
	}
	head, err := headOf(text)
	if err != nil {
		return "", shipped{}, fmt.Errorf("%s: %w", path, err)
	}
	// Each file is read by itself: two may define a record of the same name, as Money.
	schema, err := avro.ParseBytesWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		return "", shipped{}, fmt.Errorf("%s: %w", path, err)
	}
	minor, _ := strconv.Atoi(name[4])
	context := filepath.Base(filepath.Dir(path))
	return head, shipped{fmt.Sprintf("lyceum.%s.%s.%s.v%s", context, name[1], name[2], name[3]), minor, schema}, nil
}

// headOf gives what stands before each value. The parsing canonical form knows no logical types, which this library
// would leave in it: they are taken out first.
func headOf(text []byte) (string, error) {
	var told any
	if err := json.Unmarshal(text, &told); err != nil {
		return "", err
	}
	plain, err := json.Marshal(withoutLogicalTypes(told))
	if err != nil {
		return "", err
	}
	schema, err := avro.ParseBytesWithCache(plain, "", &avro.SchemaCache{})
	if err != nil {
		return "", err
	}
	crc, err := schema.FingerprintUsing(avro.CRC64AvroLE)
	return "\xc3\x01" + string(crc), err
}

func withoutLogicalTypes(told any) any {
	switch one := told.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, value := range one {
			if name != "logicalType" && name != "default" {
				kept[name] = withoutLogicalTypes(value)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(one))
		for i, value := range one {
			kept[i] = withoutLogicalTypes(value)
		}
		return kept
	}
	return told
}

func resolved(found, newest map[string]shipped) (*Schemas, error) {
	made, topics := &Schemas{byHead: map[string]avro.Schema{}}, map[string]bool{}
	for head, one := range found {
		schema, err := avro.NewSchemaCompatibility().Resolve(newest[one.kind].schema, one.schema)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.kind, err)
		}
		made.byHead[head] = schema
		// lyceum.billing.order.paid.v1 is on lyceum.billing.order
		topics[strings.Join(strings.Split(one.kind, ".")[:3], ".")] = true
	}
	for topic := range topics {
		made.topics = append(made.topics, topic)
	}
	sort.Strings(made.topics)
	return made, nil
}

// Decode gives the event in a value.
func (s *Schemas) Decode(value []byte) (map[string]any, error) {
	if len(value) < headBytes {
		return nil, fmt.Errorf("the value has only %d bytes", len(value))
	}
	schema, ok := s.byHead[string(value[:headBytes])]
	if !ok {
		head := hex.EncodeToString(value[:headBytes])
		return nil, fmt.Errorf("no schema with the head %s: fetch the newer files of schemas/avro and start again", head)
	}
	data := map[string]any{}
	return data, avro.Unmarshal(schema, value[headBytes:], &data)
}
