import type { components } from './schema'

type Schemas = components['schemas']

export type Action = Schemas['Action']
export type Area = Schemas['Area']
export type CaseDetail = Schemas['CaseDetail']
export type CaseModel = Schemas['CaseModel']
export type CasePage = Schemas['CasePage']
export type CaseSummary = Schemas['CaseSummary']
export type Degradation = Schemas['Degradation']
export type Device = Schemas['Device']
export type Evidence = Schemas['Evidence']
export type Figures = Schemas['Figures']
export type Gap = Schemas['GapOut']
export type HistoryEntry = Schemas['HistoryEntry']
export type Incident = Schemas['Incident']
export type Node = Schemas['Node']
export type Point = Schemas['Point']
export type Presence = Schemas['Presence']
export type Role = Schemas['Role']
export type Series = Schemas['Series']
export type SessionInfo = Schemas['SessionInfo']
export type Severity = Schemas['Severity']
export type Status = Schemas['Status']
export type TrackPoint = Schemas['TrackPoint']
export type User = Schemas['UserOut']

/** What a grid's polygon carries. */
export interface GridProperties {
  code: string
  name: string
  level: string
  parent: string | null
  open_cases: number
  severity: Severity | null
}

export type GridCollection = GeoJSON.FeatureCollection<GeoJSON.Polygon | GeoJSON.MultiPolygon, GridProperties>
