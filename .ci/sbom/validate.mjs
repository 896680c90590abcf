// Holds bills of materials to the JSON schema of CycloneDX, strictly.
import { readFileSync } from 'node:fs'
import { Validation } from '@cyclonedx/cyclonedx-library'

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8')
  const wrong = await new Validation.JsonStrictValidator(JSON.parse(text).specVersion).validate(text)
  if (wrong !== null) throw new Error(`${file}: ${JSON.stringify(wrong, null, 1)}`)
}
