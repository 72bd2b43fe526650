/** The body of every answer with a status of 400 and above. */
import { type Static, Type } from 'typebox';
import { list, record } from './shape.js';

export const ErrorAnswer = record({
  error: record({
    code: Type.String({ description: 'stable, for programs' }),
    message: Type.String({ description: 'one sentence, for people' }),
    parameter: Type.Optional(Type.String()),
    allowed: Type.Optional(list(Type.String(), 'what exists or would have been accepted')),
  }),
});

export type ErrorAnswer = Static<typeof ErrorAnswer>;
